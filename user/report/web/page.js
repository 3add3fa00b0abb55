/* page.js - the head of the page, then all parts. */
(() => {
	const {facts, task, memory, manifest, element} = data;
	const put = (id, text) => {
		document.getElementById(id).textContent = data.visible(text);
	};
	const verdicts = {
		complete: 'complete, none lost',
		losses: 'records were lost',
		unknown: 'completeness unknown'
	};

	function tile(title, value, note) {
		const div = element('div', 'tile');
		div.append(element('dt', '', title), element('dd', 'number', value),
			   element('dd', 'note', note || ''));
		return div;
	}

	function tiles() {
		const peak = tile('Peak RSS', data.mb(facts.peak_bytes),
				  `at ${data.seconds(facts.peak_time_s)}`);
		const pss = data.isNumber(memory.pss_time_s) ?
			`at ${data.seconds(memory.pss_time_s)}` : 'not measured';
		peak.classList.add('main');
		document.getElementById('tiles').append(
			peak, tile('Duration', data.seconds(facts.duration_s), processes()),
			tile('At the end', data.mb(memory.final_rss_bytes), 'RSS at the last tick'),
			tile('PSS', data.mb(memory.pss_bytes), pss),
			tile('Swap peak', data.mb(memory.swap_peak_bytes), 'at a tick'),
			tile('Page faults', data.count(memory.minor_faults),
			     `minor; ${data.count(memory.major_faults)} major`));
	}

	function processes() {
		const n = task.processes_seen, left = task.processes_left;
		if (!data.isNumber(n))
			return '';
		const alive = left > 0 ? `, ${data.count(left)} alive` : '';
		return `${data.count(n)} process${n === 1 ? '' : 'es'}${alive}`;
	}

	function start() {
		const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(task.start_utc || '');
		return match ? `, ${match[1]} ${match[2]} UTC` : '';
	}

	function endClass() {
		if (task.end === 'oom' || task.end === 'killed-by-signal' ||
		    (task.end === 'exited' && task.exit_status > 0))
			return 'bad';
		return task.end === 'exited' ? 'good' : 'plain';
	}

	function footer() {
		const seen = memory.source === 'rss_stat' ? 'every change of RSS was seen' :
			'RSS was seen at ticks';
		return `taskdiag-bpf ${manifest.tool_version || '?'} ` +
			`on Linux ${manifest.kernel || '?'}; ` +
			`${seen}, ${data.count(memory.ticks)} ticks, one every ` +
			`${data.seconds(memory.interval_s)}; MB is 1,048,576 bytes`;
	}

	put('task-id', task.id || 'unnamed task');
	put('command', facts.command);
	put('start', start());
	put('end', facts.end);
	put('verdict', verdicts[facts.verdict]);
	document.getElementById('end').classList.add(endClass());
	/* A tab for each diagnostic that there is; one alone needs none. */
	const panels = Object.fromEntries(Object.entries({
		memory: data.hasMemory, profile: data.hasProfile, allocations: allocview.has()
	}).filter(([, is]) => is).map(([name]) => [name, document.getElementById(`panel-${name}`)]));
	const names = Object.keys(panels);

	function show(name) {
		for (const [key, panel] of Object.entries(panels)) {
			const tab = document.getElementById(`tab-${key}`);
			panel.hidden = key !== name;
			tab.setAttribute('aria-selected', key === name);
			tab.tabIndex = key === name ? 0 : -1;
		}
		if (name === 'memory')
			chart.resize();
		if (name === 'allocations')
			allocview.show(panels.allocations);
	}

	function tabs() {
		for (const tab of document.querySelectorAll('#tabs [role="tab"]'))
			tab.hidden = !names.includes(tab.id.slice(4));
		document.getElementById('tabs').hidden = names.length < 2;
		names.forEach((name, i) => {
			const tab = document.getElementById(`tab-${name}`);
			tab.addEventListener('click', () => show(name));
			tab.addEventListener('keydown', (event) => {
				const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
				if (!step)
					return;
				const next = names[(i + step + names.length) % names.length];
				show(next);
				document.getElementById(`tab-${next}`).focus();
			});
		});
		document.getElementById('panel-memory').hidden = !data.hasMemory;
		document.getElementById('verdict').addEventListener('click', () => show(names[0]));
		show(names.includes(location.hash.slice(1)) ? location.hash.slice(1) : names[0]);
	}

	/* The evidence: the tab, and the time there. */
	function lead(finding) {
		const tab = names.includes(finding.tab) ? finding.tab : names[0];
		const link = element('a', '', finding.evidence || tab);
		const from = finding.from_s, to = finding.to_s;
		link.href = `#panel-${tab}`;
		link.addEventListener('click', (event) => {
			event.preventDefault();
			show(tab);
			if (tab === 'memory' && data.isNumber(from))
				chart.highlight(from, to);
			const place = finding.kind === 'cache' ? document.getElementById('cgroup') : panels[tab];
			place.scrollIntoView();
		});
		return link;
	}

	/* As the summary has them; nothing is shown when nothing stands out. */
	function findings() {
		const section = document.getElementById('findings');
		const all = data.objects(JSON.parse(section.dataset.findings));
		const list = element('ol');
		list.append(...all.map((finding) => {
			const item = element('li'), note = element('p', 'hint');
			const sure = `confidence: ${finding.confidence}`;
			note.append(element('span', `sure ${finding.confidence}`, sure),
				    ` (${data.visible(finding.why)}); evidence: `, lead(finding));
			item.append(element('p', 'sentence', finding.sentence), note);
			return item;
		}));
		section.append(list);
		section.hidden = !all.length;
	}

	async function others() {
		if (names.length === 1 && data.hasMemory)
			return;
		put('kinds', `${names.join(', ').replace(/, ([^,]*)$/, ' and $1')} report`);
		tabs();
		if (panels.profile)
			await profileview.make(panels.profile);
		/* what the numbers rest on stands with the first of them */
		if (!data.hasMemory)
			document.getElementById(`panel-${names[0]}`).after(document.getElementById('quality'));
	}

	const good = facts.verdict === 'complete';
	document.getElementById('verdict').classList.add(good ? 'good' : 'warn');
	put('footer', data.hasMemory ? footer() : footer().replace(/; .*/, ''));
	tiles();
	chart.build();
	quality.build();
	table.build();
	cgroup.build();
	findings();
	others();
})();
