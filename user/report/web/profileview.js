/* profileview.js - the Profile tab: filters on one side, what they choose on the other.
 *
 *	threads, causes, range of time ──► filter ──► flame graph │ tree │ table, timeline, shares
 */
const profileview = (() => {
	const {element, facts} = data;
	const told = (data.manifest.diagnostics || {}).profile || {};
	const THREADS_MAX = 400;
	/* hue, saturation by what the kernel waits for; others take the next free hue */
	const known = {
		cpu: [26, 90], lock: [275, 45], futex: [275, 45], 'run queue': [350, 62], runqueue: [350, 62],
		'run-queue': [350, 62], sleep: [215, 14], disk: [95, 34], io: [95, 34], file: [95, 34],
		network: [168, 46], socket: [168, 46], poll: [232, 42], pipe: [188, 40], child: [60, 40],
		'page fault': [325, 48], fault: [325, 48], memory: [325, 48], unknown: [30, 8]
	};
	const parts = {};
	let p = null, graph = null, tree = null, table = null, strip = null;
	let filter = null, view = null, mode = 'flame', direction = 'down', split = '', wanted = '';
	let chips = [], dark = null;

	function causeColour(id) {
		const name = p.causes[id].name.replace(/^\[|\]$/g, ''), night = dark.matches;
		const [hue, saturation] = (Object.hasOwn(known, name) && known[name]) ||
			[(id * 67 + 140) % 360, 38];
		return p.running[id] ? `hsl(${hue} ${night ? 62 : 92}% ${night ? 48 : 62}%)` :
			`hsl(${hue} ${Math.round(saturation * (night ? 0.7 : 1))}% ${night ? 42 : 76}%)`;
	}

	/* The middle of the colours that flame.js spreads. */
	function kindColour(kind, id) {
		const night = dark.matches;
		if (kind === profile.CAUSE)
			return causeColour(id);
		if (kind !== profile.FUNCTION)
			return night ? '#4a586a' : '#c3ccd7';
		return (night ? ['hsl(24 52% 46%)', 'hsl(43 48% 44%)', 'hsl(207 36% 45%)', 'hsl(352 38% 50%)'] :
			['hsl(26 92% 64%)', 'hsl(46 88% 56%)', 'hsl(206 62% 70%)', 'hsl(355 70% 72%)'])[p.kinds[id]];
	}

	const seconds = (marks) => data.seconds(marks * p.seconds);

	function tile(title, value, note) {
		const div = element('div', 'tile');
		div.append(element('dt', '', title), element('dd', 'number', value), element('dd', 'note', note));
		return div;
	}

	/* Exact totals where the kernel gave them, else what was sampled. */
	function tiles() {
		const sums = profile.shares(filter), all = sums.byCause.reduce((a, b) => a + b, 0);
		const running = sums.byCause.reduce((a, m, i) => a + m * p.running[i], 0);
		const waits = [...sums.byCause.keys()].filter((i) => !p.running[i])
			.sort((a, b) => sums.byCause[b] - sums.byCause[a]);
		const fidelity = told.fidelity || {}, complete = told.stacks_complete_ratio;
		const ratio = (v) => data.isNumber(v) ? v.toFixed(3) : '–';
		const first = tile('Thread time', seconds(all), `${data.count(p.threads.length)} threads, ` +
			`${data.count(all)} marks`);
		first.classList.add('main');
		const percent = data.isNumber(complete) ?
			`${(Math.floor(complete * 1e4) / 100).toFixed(complete === 1 ? 0 : 2)} %` : '–';
		return [
			first,
			tile('On the CPU', seconds(running), `${data.percent(all ? running / all : 0)} of thread time`),
			tile('Largest wait', waits.length ? seconds(sums.byCause[waits[0]]) : '–',
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

	function button(text, act, title) {
		const b = element('button', '', text);
		b.type = 'button';
		if (title)
			b.title = title;
		b.addEventListener('click', act);
		return b;
	}

	/* A row of buttons of which one is pressed. */
	function choice(label, options, get, set) {
		const box = element('div', 'choice');
		box.setAttribute('role', 'group');
		box.setAttribute('aria-label', label);
		const all = options.map(([value, text, title]) => {
			const b = button(text, () => {
				set(value);
				mark();
			}, title);
			b.dataset.value = value;
			return b;
		});
		function mark() {
			for (const b of all)
				b.setAttribute('aria-pressed', b.dataset.value === get());
		}
		box.append(...all);
		mark();
		return {box, mark};
	}

	/* value: "" all, "p0" a process, "t3" a thread */
	function whoSelect() {
		const select = element('select'), sums = profile.shares({...filter, thread: -1, process: -1});
		const byProcess = new Map();
		const option = (value, text) => {
			const o = element('option', '', text);
			o.value = value;
			return o;
		};
		select.setAttribute('aria-label', 'Process or thread');
		select.append(option('', `All threads (${data.count(p.threads.length)})`));
		const order = p.threads.map((t, i) => i).sort((a, b) => sums.byThread[b] - sums.byThread[a]);
		for (const i of order.slice(0, THREADS_MAX)) {
			const of = p.threads[i].process;
			if (!byProcess.has(of)) {
				const group = element('optgroup');
				group.label = data.visible(p.processes[of].name);
				group.append(option(`p${of}`, `${p.processes[of].name}: all threads`));
				byProcess.set(of, group);
				select.append(group);
			}
			byProcess.get(of).append(option(`t${i}`,
				`${profile.threadName(i)}  ${seconds(sums.byThread[i])}`));
		}
		if (order.length > THREADS_MAX) {
			const rest = option('', `${data.count(order.length - THREADS_MAX)} smaller threads: split by thread`);
			rest.disabled = true;
			select.append(rest);
		}
		select.addEventListener('change', () => setWho(select.value));
		return select;
	}

	function setWho(value) {
		parts.who.value = value;
		filter.process = value[0] === 'p' ? Number(value.slice(1)) : -1;
		filter.thread = value[0] === 't' ? Number(value.slice(1)) : -1;
		update();
	}

	function causeChips() {
		const box = element('div', 'chips');
		box.setAttribute('role', 'group');
		box.setAttribute('aria-label', 'Causes of time');
		const total = profile.shares(filter).byCause;
		const order = p.causes.map((c, i) => i)
			.sort((a, b) => p.running[b] - p.running[a] || total[b] - total[a]);
		chips = order.map((i) => {
			const label = element('label', 'chip'), input = element('input'), share = element('span', 'percent');
			const swatch = element('span', 'swatch'), only = button('only', (event) => {
				event.preventDefault();
				const alone = filter.causes.every((on, j) => !!on === (j === i));
				filter.causes.fill(alone ? 1 : 0);
				filter.causes[i] = 1;
				update();
			}, 'only this cause; again: all');
			input.type = 'checkbox';
			input.addEventListener('change', () => {
				filter.causes[i] = input.checked ? 1 : 0;
				update();
			});
			label.append(input, swatch, element('span', 'name', p.causes[i].name), share, only);
			box.append(label);
			return {i, input, swatch, share, label};
		});
		return box;
	}

	function fillChips() {
		const {byCause} = profile.shares(filter), all = byCause.reduce((a, b) => a + b, 0);
		for (const c of chips) {
			c.input.checked = !!filter.causes[c.i];
			c.swatch.style.background = causeColour(c.i);
			c.share.textContent = data.percent(all ? byCause[c.i] / all : 0);
			c.label.classList.toggle('off', !filter.causes[c.i]);
		}
	}

	function legend() {
		const box = element('p', 'legend');
		profile.kindNames.forEach((text, kind) => {
			if (!p.kinds.includes(kind))
				return;
			const swatch = element('span', 'swatch');
			swatch.style.background = kindColour(profile.FUNCTION, p.kinds.indexOf(kind));
			box.append(swatch, element('span', '', text));
		});
		return box;
	}

	function searchBox() {
		const box = element('div', 'search'), input = element('input');
		input.type = 'search';
		input.placeholder = 'Search functions  ( / )';
		input.setAttribute('aria-label', 'Search functions');
		input.addEventListener('input', () => {
			wanted = input.value;
			showHits();
		});
		input.addEventListener('keydown', (event) => {
			if (event.key !== 'Escape')
				return;
			setSearch('');
			focusView();
			event.preventDefault();
		});
		parts.found = element('output', 'found');
		parts.found.setAttribute('aria-live', 'polite');
		parts.search = input;
		box.append(input, parts.found);
		return box;
	}

	function setSearch(text) {
		parts.search.value = wanted = text;
		showHits();
	}

	function focusView() {
		if (mode === 'flame')
			parts.canvas.focus();
		else if (mode === 'tree')
			parts.tree.querySelector('[tabindex="0"]')?.focus();
	}

	function showHits() {
		const text = wanted.toLowerCase(), seen = new Map();
		if (mode === 'table')
			table.show(profile.functions(filter), wanted);
		const found = !text ? null : flame.search(view, (kind, id) => {
			const key = kind * 0x8000000 + id;
			if (!seen.has(key))
				seen.set(key, profile.nameOf(kind, id).toLowerCase().includes(text));
			return seen.get(key);
		});
		parts.found.textContent = !found ? '' : !found.n ? 'no match' :
			`${data.percent(found.sum / (view.total[0] || 1))} in ${data.count(found.n)} ` +
			`${found.n === 1 ? 'call' : 'calls'}`;
		graph.setHits(found && found.hits);
		if (mode === 'tree')
			tree.setHits(found && found.hits);
	}

	function describe(node) {
		const kind = view.kind[node], id = view.id[node], total = view.total[node];
		const place = profile.placeOf(kind, id), below = view.self[node];
		const lines = [
			profile.nameOf(kind, id),
			`${seconds(total)}, ${data.percent(total / (view.total[0] || 1))} of what is shown` +
				(kind === profile.CAUSE ? '' : `; on the CPU ${seconds(view.cpu[node])}`) +
				(direction === 'up' ? '' : `; in itself ${seconds(below)}`)
		];
		return {name: lines[0], place, numbers: lines[1]};
	}

	function showDetails(node) {
		const box = parts.details;
		if (node < 0) {
			box.replaceChildren(element('span', 'hint', parts.hint));
			return;
		}
		const d = describe(node);
		box.replaceChildren(element('span', 'name', d.name), element('span', 'numbers', d.numbers),
				    element('span', 'place', d.place));
	}

	function showTip(node, event) {
		const tip = parts.tip;
		tip.hidden = node < 0;
		if (node < 0)
			return showDetails(parts.focused);
		const d = describe(node);
		tip.replaceChildren(element('span', 'name', d.name), element('span', 'numbers', d.numbers),
				    element('span', 'place', d.place));
		const area = parts.flame.getBoundingClientRect();
		const x = event.clientX - area.left + 14, y = event.clientY - area.top + 18;
		tip.style.left = `${Math.max(4, Math.min(x, area.width - tip.offsetWidth - 8))}px`;
		tip.style.top = `${y + tip.offsetHeight > area.height ? y - tip.offsetHeight - 30 : y}px`;
		return showDetails(node);
	}

	/* The calls above the zoomed one, as a way back. */
	function crumbs(node) {
		const way = [];
		for (let i = node; i > 0; i = view.parent[i])
			way.push(i);
		parts.crumbs.hidden = !way.length;
		parts.crumbs.replaceChildren(button('all', () => graph.setZoom(0), 'zoom out (Esc)'));
		for (const i of way.reverse().slice(-6)) {
			const b = button(data.visible(profile.nameOf(view.kind[i], view.id[i])), () => graph.setZoom(i));
			b.classList.add('name');
			parts.crumbs.append(element('span', 'hint', '›'), b);
		}
	}

	function flamePanel() {
		const box = element('div', 'flame'), scroller = element('div', 'flame-scroll');
		const spacer = element('div', 'flame-space');
		parts.canvas = element('canvas');
		parts.canvas.tabIndex = 0;
		parts.canvas.setAttribute('role', 'application');
		parts.canvas.setAttribute('aria-roledescription', 'flame graph');
		parts.canvas.setAttribute('aria-label',
			'Flame graph: arrow keys move, Enter zooms, Escape zooms out, slash searches');
		parts.canvas.setAttribute('aria-describedby', 'flame-details');
		parts.tip = element('div', 'tip');
		parts.tip.hidden = true;
		parts.tip.setAttribute('aria-hidden', 'true');
		parts.flame = box;
		parts.focused = -1;
		scroller.append(parts.canvas, spacer);
		box.append(scroller, parts.tip);
		graph = flame.make(p, parts.canvas, scroller, spacer, {
			focus: (node) => {
				parts.focused = node;
				showDetails(node);
			},
			hover: showTip,
			zoom: (node) => {
				parts.focused = node || -1;
				crumbs(node);
				showDetails(parts.focused);
			}
		});
		return box;
	}

	function setMode(value) {
		mode = value;
		parts.flameBox.hidden = mode !== 'flame';
		parts.tree.hidden = mode !== 'tree';
		parts.table.hidden = mode !== 'table';
		parts.directions.box.hidden = parts.splits.hidden = mode === 'table';
		parts.modes.mark();
		showView();
	}

	function setDirection(value) {
		direction = value;
		graph.setUp(value === 'flame');
		parts.directions.mark();
		parts.split.disabled = direction === 'up';
		build();
	}

	function splitSelect() {
		const label = element('label', 'field', 'Split by '), select = element('select');
		for (const [value, text] of [['', 'nothing'], ['process', 'process'], ['thread', 'thread']]) {
			const o = element('option', '', text);
			o.value = value;
			select.append(o);
		}
		select.value = split;
		select.addEventListener('change', () => {
			split = select.value;
			build();
		});
		parts.split = select;
		label.append(select);
		return label;
	}

	function toolbar() {
		const bar = element('div', 'toolbar');
		parts.modes = choice('View', [['flame', 'Flame graph'], ['tree', 'Tree'], ['table', 'Functions']],
				     () => mode, setMode);
		parts.directions = choice('Direction', [
			['down', 'Top down', 'callers above what they call'],
			['flame', 'Bottom up', 'the same, the task at the bottom'],
			['up', 'Callers', 'inverted: what took the time, below it who called']
		], () => direction, setDirection);
		parts.splits = splitSelect();
		bar.append(parts.modes.box, parts.directions.box, parts.splits, searchBox());
		return bar;
	}

	function viewCard() {
		const card = element('section', 'card views'), head = element('div', 'card-head');
		card.setAttribute('aria-label', 'Where the time went');
		parts.crumbs = element('nav', 'crumbs');
		parts.crumbs.setAttribute('aria-label', 'Zoomed calls');
		parts.hint = 'hover or use the arrow keys for details; click or Enter zooms, Esc zooms out, / searches';
		parts.details = element('p', 'details');
		parts.details.id = 'flame-details';
		parts.details.setAttribute('aria-live', 'polite');
		parts.flameBox = element('div', 'flame-box');
		parts.flameBox.append(parts.crumbs, flamePanel(), parts.details, legend());
		parts.tree = element('div', 'scroll tall');
		parts.table = element('div', 'scroll tall');
		tree = calltree.make(p, parts.tree, {
			zoom: (node) => {
				setMode('flame');
				graph.setZoom(node);
			}
		});
		table = toptable.make(p, parts.table, {
			search: (name) => {
				setMode('flame');
				setSearch(name);
			}
		});
		head.append(toolbar());
		card.append(head, parts.flameBox, parts.tree, parts.table);
		return card;
	}

	function timeCard() {
		const card = element('section', 'card time'), head = element('div', 'card-head');
		const area = element('div', 'strip'), canvas = element('canvas');
		card.setAttribute('aria-label', 'Time');
		canvas.tabIndex = 0;
		canvas.setAttribute('role', 'application');
		canvas.setAttribute('aria-roledescription', 'timeline');
		canvas.setAttribute('aria-label', 'Timeline: arrow keys move the cursor, with Shift they choose ' +
			'a range, Escape chooses all');
		parts.range = element('output', 'range');
		parts.range.setAttribute('aria-live', 'polite');
		parts.strip = canvas;
		parts.reset = button('All of it', () => strip.all());
		head.append(element('h2', '', 'Over time'), parts.range,
			    element('p', 'hint', data.run.rows.length ?
				'threads by what they did, the line is RSS; drag to choose a range' :
				'threads by what they did; drag to choose a range'),
			    parts.reset);
		area.append(canvas);
		card.append(head, area);
		strip = timeline.make(p, canvas, setRange);
		return card;
	}

	function setRange(from, to) {
		filter.from = from;
		filter.to = strip.whole() ? Infinity : to;
		update();
		chart.highlight(...(strip.whole() ? [null] : strip.range()));
	}

	function showRange() {
		const [from, to] = strip.range();
		parts.reset.hidden = strip.whole();
		parts.range.textContent = strip.whole() ? data.seconds(to) :
			`${data.seconds(from)} to ${data.seconds(to)}`;
	}

	function filterCard() {
		const card = element('section', 'card filters'), field = element('label', 'field', 'Threads');
		card.setAttribute('aria-label', 'Filters');
		parts.who = whoSelect();
		parts.shown = element('p', 'shown');
		parts.shown.setAttribute('aria-live', 'polite');
		field.append(parts.who);
		card.append(field, causeChips(), parts.shown);
		return card;
	}

	/* What the kernel counted for every thread, beside what was sampled. */
	function threadsCard() {
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
				const link = button(data.visible(label), () => setWho(`t${at}`), 'show this thread only');
				link.classList.add('link', 'name');
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

	/* The filter or the shape has changed: the tree anew. */
	function build() {
		view = direction === 'up' ? profile.callers(filter) : profile.topDown(filter, split);
		showView();
	}

	function showView() {
		if (mode === 'flame')
			graph.show(view);
		else if (mode === 'tree')
			tree.show(view);
		showHits();
	}

	function update() {
		const all = p.samples.marks.reduce((a, b) => a + b, 0);
		build();
		strip.show(filter);
		fillChips();
		showRange();
		parts.shown.textContent = `${seconds(view.total[0])} shown, ` +
			`${data.percent(all ? view.total[0] / all : 0)} of ${seconds(all)} of thread time`;
	}

	function shortcut(event) {
		const inText = /^(input|select|textarea)$/i.test(event.target.tagName);
		if (event.key !== '/' || inText || parts.panel.hidden || event.ctrlKey || event.altKey)
			return;
		event.preventDefault();
		parts.search.focus();
		parts.search.select();
	}

	function fill(panel) {
		const list = element('dl', 'tiles');
		filter = {thread: -1, process: -1, causes: new Uint8Array(p.causes.length).fill(1), from: 0, to: Infinity};
		if (p.processes.length > 1)
			split = 'process';
		list.append(...tiles());
		panel.append(list, timeCard(), filterCard(), viewCard());
		const threads = threadsCard();
		if (threads)
			panel.append(threads);
		view = profile.topDown(filter, split);
		setMode('flame');
		update();
		addEventListener('keydown', shortcut);
		dark.addEventListener('change', () => {
			fillChips();
			const now = panel.querySelector('.legend');
			now.replaceWith(legend());
			showView();
		});
	}

	/* True when there is a profile to show. */
	async function make(panel) {
		dark = matchMedia('(prefers-color-scheme: dark)');
		parts.panel = panel;
		try {
			p = await profile.load();
		} catch (error) {
			panel.append(element('p', 'plain', typeof DecompressionStream === 'undefined' ?
				'The profile needs a browser with DecompressionStream (2023 or newer).' :
				'The profile in this page is damaged; make the page again.'));
			return true;
		}
		if (p && p.samples.marks.length)
			fill(panel);
		else if (p)
			panel.append(element('p', 'plain', 'The profile holds no sample.'));
		return !!p;
	}

	/* Tab shown or hidden: canvases have no size while hidden; ResizeObserver tells them. */
	return {make, causeColour, kindColour, choose: (from, to) => strip && strip.choose(from, to),
		has: () => !!(p && strip)};
})();
