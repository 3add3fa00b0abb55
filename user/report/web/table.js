/* table.js - the processes, sortable by every column; a row under the mouse shades its life. */
const table = (() => {
	const {facts, memory, isNumber, element} = data;
	const processes = data.objects(memory.processes);
	processes.forEach((p, i) => {
		p.how = data.run.ends[i] || '';
	});
	const share = (p) => isNumber(p.rss_at_peak_bytes) && facts.peak_bytes > 0 ?
		p.rss_at_peak_bytes / facts.peak_bytes :
		null;
	const columns = [
		{
			title: 'Process',
			key: (p) => p.name || '',
			cell: (p) => element('span', 'name', p.name || '?')
		},
		{
			title: 'PID',
			key: (p) => p.pid,
			number: true,
			text: (p) => p.inner_pid && p.inner_pid !== p.pid ?
				`${p.pid} (${p.inner_pid} inside)` : String(p.pid)
		},
		{
			title: 'At the peak',
			key: (p) => p.rss_at_peak_bytes,
			number: true,
			largest: true,
			cell: shareCell
		},
		{
			title: 'Own peak',
			key: (p) => p.peak_rss_bytes,
			number: true,
			largest: true,
			cell: ownPeakCell
		},
		{
			title: 'Start',
			key: (p) => p.start_s,
			number: true,
			text: (p) => data.seconds(p.start_s)
		},
		{
			title: 'End',
			key: (p) => isNumber(p.end_s) ? p.end_s : Infinity,
			number: true,
			text: (p) => isNumber(p.end_s) ? data.seconds(p.end_s) : '–'
		},
		{title: 'Life', key: life, number: true, largest: true, cell: lifeCell},
		{title: 'How it ended', key: (p) => p.how, cell: endCell},
	];
	let sorted = 2, descending = true, body = null, heads = [];

	function life(p) {
		return (isNumber(p.end_s) ? p.end_s : facts.duration_s) - p.start_s;
	}

	function shareCell(p) {
		const box = element('span', 'share');
		const bar = element('span', 'bar'), fill = element('span', 'fill');
		fill.style.width = `${Math.min(100, 100 * (share(p) || 0))}%`;
		bar.append(fill);
		box.append(element('span', 'amount', data.mb(p.rss_at_peak_bytes)), bar,
			   element('span', 'percent', data.percent(share(p))));
		return box;
	}

	function ownPeakCell(p) {
		const box = element('span', 'own');
		box.append(element('span', 'amount', data.mb(p.peak_rss_bytes)),
			   element('span', 'when', ` at ${data.seconds(p.peak_time_s)}`));
		return box;
	}

	function lifeCell(p) {
		const track = element('span', 'life'), line = element('span', 'fill');
		const all = facts.duration_s || 1;
		const from = Math.max(0, p.start_s || 0), to = isNumber(p.end_s) ? p.end_s : all;
		line.style.left = `${Math.min(99, 100 * from / all)}%`;
		line.style.width = `${Math.max(1, Math.min(100, 100 * (to - from) / all))}%`;
		track.title = data.seconds(life(p));
		track.append(line);
		return track;
	}

	function endCell(p) {
		const bad = p.end === 'oom' || p.end === 'killed-by-signal' ||
			(isNumber(p.exit_status) && p.exit_status !== 0);
		return element('span', bad ? 'end bad' : 'end', p.how);
	}

	/* Text by its letters, numbers by size, what was not measured below all. */
	function order(x, y) {
		if (typeof x === 'string' || typeof y === 'string')
			return String(x).localeCompare(String(y));
		const size = (v) => typeof v === 'number' && !Number.isNaN(v) ? v : -Infinity;
		return size(x) === size(y) ? 0 : size(x) - size(y);
	}

	function compare(a, b) {
		const key = columns[sorted].key, found = order(key(a), key(b));
		return (descending ? -found : found) || a.pid - b.pid;
	}

	function row(p) {
		const tr = element('tr');
		for (const c of columns) {
			const td = element('td', c.number ? 'number' : '');
			td.append(c.cell ? c.cell(p) : element('span', '', c.text(p)));
			tr.append(td);
		}
		const end = isNumber(p.end_s) ? p.end_s : facts.duration_s;
		tr.addEventListener('mouseenter', () => chart.highlight(p.start_s, end));
		tr.addEventListener('mouseleave', () => chart.highlight(null));
		return tr;
	}

	function fill() {
		body.replaceChildren(...processes.sort(compare).map(row));
		const direction = descending ? 'descending' : 'ascending';
		heads.forEach((th, i) => {
			th.setAttribute('aria-sort', i === sorted ? direction : 'none');
		});
	}

	function sortBy(i) {
		descending = i === sorted ? !descending : !!columns[i].largest;
		sorted = i;
		fill();
	}

	function head() {
		const thead = element('thead'), tr = element('tr');
		heads = columns.map((c, i) => {
			const th = element('th', c.number ? 'number' : '');
			const button = element('button', '', c.title);
			button.type = 'button';
			button.addEventListener('click', () => sortBy(i));
			th.scope = 'col';
			th.append(button);
			return th;
		});
		tr.append(...heads);
		thead.append(tr);
		return thead;
	}

	function hint() {
		const omitted = memory.processes_omitted;
		const seen = data.task.processes_seen;
		let text = isNumber(seen) ? `${data.count(seen)} seen` : '';
		if (omitted > 0)
			text += `; ${data.count(omitted)} not listed held ` +
				`${data.mb(memory.omitted_at_peak_bytes)} of the peak`;
		return text;
	}

	function build() {
		const box = document.getElementById('processes'), t = element('table');
		document.getElementById('processes-hint').textContent = hint();
		if (!processes.length) {
			box.append(element('p', 'nothing', 'No process was recorded.'));
			return;
		}
		body = element('tbody');
		t.append(head(), body);
		box.append(t);
		fill();
	}

	return {build};
})();
