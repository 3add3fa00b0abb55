/* profilefacts.js - the numbers around the Profile tab: tiles above it, the threads below it. */
const profilefacts = (() => {
	const {element, seconds} = data;
	const told = (data.manifest.diagnostics || {}).profile || {};

	function tile(title, value, note) {
		const div = element('div', 'tile');
		div.append(element('dt', '', title), element('dd', 'number', value), element('dd', 'note', note));
		return div;
	}

	/* Exact totals where the kernel gave them, else what was sampled. */
	function tiles(p, filter) {
		const sums = profile.shares(filter), all = sums.byCause.reduce((a, b) => a + b, 0);
		const running = sums.byCause.reduce((a, m, i) => a + m * p.running[i], 0);
		const waits = [...sums.byCause.keys()].filter((i) => !p.running[i])
			.sort((a, b) => sums.byCause[b] - sums.byCause[a]);
		const fidelity = told.fidelity || {}, complete = told.stacks_complete_ratio;
		const ratio = (v) => data.isNumber(v) ? v.toFixed(3) : '–';
		const first = tile('Thread time', seconds(all * p.seconds), `${data.count(p.threads.length)} threads, ` +
			`${data.count(all)} marks`);
		first.classList.add('main');
		const percent = data.isNumber(complete) ?
			`${(Math.floor(complete * 1e4) / 100).toFixed(complete === 1 ? 0 : 2)} %` : '–';
		return [
			first,
			tile('On the CPU', seconds(running * p.seconds), `${data.percent(all ? running / all : 0)} of thread time`),
			tile('Largest wait', waits.length ? seconds(sums.byCause[waits[0]] * p.seconds) : '–',
			     waits.length ? p.causes[waits[0]].name : 'no waits were sampled'),
			tile('Stacks complete', percent, outcomes() || 'none was cut'),
			tile('Sampled / exact', ratio(fidelity.cpu), `CPU; run queue ${ratio(fidelity.run_queue)}, ` +
				`blocked ${ratio(fidelity.blocked)}`),
			tile('Sampling', data.isNumber(told.frequency_hz) ? `${told.frequency_hz} Hz` : '–',
			     `a mark every ${(p.seconds * 1000).toFixed(1)} ms`)
		];
	}

	function outcomes() {
		return Object.entries(told.stacks && typeof told.stacks === 'object' ? told.stacks : {})
			.filter(([name, n]) => name !== 'complete' && n > 0)
			.map(([name, n]) => `${name} ${data.count(n)}`).join(', ');
	}

	/* What the kernel counted for every thread, beside what was sampled. */
	function threads(p, setWho) {
		const card = element('section', 'card threads'), head = element('div', 'card-head');
		const list = data.objects(told.threads), t = element('table'), body = element('tbody');
		const titles = ['Thread', 'Process', 'Wall, sampled', 'CPU', 'Run queue', 'Blocked'];
		const thead = element('thead'), tr = element('tr');
		head.append(element('h2', '', 'Threads'), element('p', 'hint',
			'CPU, run queue and blocked are the kernel’s exact times' +
			(told.threads_omitted > 0 ? `; ${data.count(told.threads_omitted)} more threads are not listed` : '')));
		titles.forEach((text, i) => {
			const th = element('th', i > 1 ? 'number' : '', text);
			th.scope = 'col';
			tr.append(th);
		});
		thead.append(tr);
		const time = (v) => element('td', 'number', data.isNumber(v) ? data.seconds(v) : '–');
		for (const thread of list) {
			const row = element('tr'), name = element('td'), process = element('td', 'name', thread.process || '?');
			const at = p.threads.findIndex((x) => x.tid === thread.tid &&
				(!data.isNumber(thread.pid) || p.processes[x.process].pid === thread.pid));
			const label = `${thread.name || '?'}${String(thread.name).endsWith(`-${thread.tid}`) ? '' : `-${thread.tid}`}`;
			if (at >= 0) {
				const link = element('button', 'link name', label);
				link.type = 'button';
				link.title = 'show this thread only';
				link.addEventListener('click', () => setWho(`t${at}`));
				name.append(link);
			} else {
				name.append(element('span', 'name', label));
			}
			row.append(name, process, time(thread.marks * p.seconds), time(thread.cpu_s),
				   time(thread.run_queue_s), time(thread.blocked_s));
			body.append(row);
		}
		t.append(thead, body);
		const scroll = element('div', 'scroll');
		scroll.append(t);
		card.append(head, scroll);
		return list.length ? card : null;
	}

	return {tiles, threads};
})();
