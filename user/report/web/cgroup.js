/* cgroup.js - the observed cgroup: where its bytes were at its peak, and who was killed for want of memory. */
const cgroup = (() => {
	const {memory, task, isNumber, element} = data;
	const told = memory.cgroup || {};
	const rows = data.objects(told.ledger).sort((a, b) => b.bytes - a.bytes);
	const held = ((((data.manifest.diagnostics || {}).allocations || {}).held || {})[
		told.ledger_moment === 'rss_peak' ? 'rss_peak' : 'look']);
	const NO_LIMIT = 4e18; /* what v1 tells where there is none is just below 2^63 */

	function share(row) {
		const box = element('span', 'share');
		const bar = element('span', 'bar'), fill = element('span', 'fill');
		fill.style.width = `${Math.min(100, 100 * (row.share || 0))}%`;
		bar.append(fill);
		box.append(element('span', 'amount', data.mb(row.bytes)), bar,
			   element('span', 'percent', data.percent(row.share)));
		return box;
	}

	function list(items) {
		const ul = element('ul', 'ledger-parts');
		ul.append(...items.map(([bytes, text]) => {
			const li = element('li');
			li.append(element('span', 'amount', data.mb(bytes)), ' ',
				  element('span', 'name', text));
			return li;
		}));
		return ul;
	}

	/* Innermost first, as a person reads who asked. */
	function stacks(row) {
		const process = data.objects(held).find((p) => p.pid === row.pid);
		return data.objects(process && process.stacks).map((s) => [
			s.bytes, (Array.isArray(s.stack) ? [...s.stack] : []).reverse().slice(0, 12).join(' ← ')
		]);
	}

	function files(row) {
		const all = (told.files || {}).largest;
		return row.kind === 'file' ? data.objects(all).map((f) => [f.bytes, f.path]) : [];
	}

	function parts(row) {
		const items = row.kind === 'process' ? stacks(row) : files(row);
		if (!items.length)
			return element('span');
		const details = element('details');
		details.append(element('summary', '', row.kind === 'file' ? 'by file' : 'by stack'),
			       list(items));
		return details;
	}

	function ledger() {
		const t = element('table'), head = element('tr'), body = element('tbody');
		for (const title of ['Where', 'At the peak', 'Of it'])
			head.append(element('th', '', title));
		for (const row of rows) {
			const tr = element('tr');
			const cells = [element('span', 'name', row.name || '?'), share(row), parts(row)];
			tr.append(...cells.map((cell) => {
				const td = element('td');
				td.append(cell);
				return td;
			}));
			body.append(tr);
		}
		const thead = element('thead');
		thead.append(head);
		t.append(thead, body);
		return t;
	}

	function hint() {
		const limit = told.limit_bytes;
		let text = `${told.path}, v${told.version}: peak ${data.mb(told.peak_bytes)} at ` +
			data.seconds(told.peak_time_s);
		if (isNumber(limit) && limit < NO_LIMIT)
			text += `, ${data.percent(told.peak_bytes / limit)} of its limit of ${data.mb(limit)}`;
		return text;
	}

	function killed(k) {
		return element('p', 'oom', `killed for want of memory at ${data.seconds(k.time_s)}: ` +
			`${k.name}-${k.pid} (${data.mb(k.rss_bytes)}); ${k.asked_by_name}-${k.asked_by_pid} asked`);
	}

	function build() {
		const section = document.getElementById('cgroup');
		const ooms = data.objects(task.oom_kills).slice(0, 8);
		if (!rows.length && !ooms.length)
			return;
		section.hidden = false;
		document.getElementById('cgroup-hint').textContent =
			data.visible(told.path ? hint() : '');
		const box = document.getElementById('ledger');
		box.append(...ooms.map(killed));
		if (rows.length)
			box.append(ledger());
	}

	return {build};
})();
