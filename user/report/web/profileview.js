/* profileview.js - the Profile tab: filters on one side, what they choose on the other.
 *
 *	threads, causes, range of time ──► filter ──► flame graph │ tree │ table, timeline, shares
 */
const profileview = (() => {
	const {element} = data;
	const THREADS_MAX = 400;
	const parts = {};
	let p = null, graph = null, tree = null, table = null, strip = null;
	let filter = null, view = null, mode = 'flame', direction = 'down', split = '', group = '', wanted = '';
	let chips = [];

	const seconds = (marks) => data.seconds(marks * p.seconds);

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
			c.swatch.style.background = colours.cause(c.i);
			c.share.textContent = data.percent(all ? byCause[c.i] / all : 0);
			c.label.classList.toggle('off', !filter.causes[c.i]);
		}
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
			if (event.key === 'Enter' && mode === 'tree')
				tree.nextHit();
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
			tree.setHits(found && found.hits, wanted);
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

	function showOrder() {
		parts.order.hidden = direction !== 'time' || mode === 'table';
	}

	function setMode(value) {
		mode = value;
		parts.flameBox.hidden = mode !== 'flame';
		parts.table.hidden = mode !== 'table';
		parts.directions.box.hidden = parts.splits.hidden = parts.groups.hidden = mode === 'table';
		showOrder();
		parts.folds.hidden = mode !== 'tree';
		parts.treeBox.hidden = mode !== 'tree';
		parts.modes.mark();
		showView();
	}

	function setDirection(value) {
		direction = value;
		graph.setUp(value === 'flame');
		parts.directions.mark();
		parts.split.disabled = direction === 'up' || direction === 'time';
		parts.group.disabled = direction === 'time';
		showOrder();
		build();
	}

	function select(text, options, value, set) {
		const label = element('label', 'field', text), box = element('select');
		for (const [key, name] of options) {
			const o = element('option', '', name);
			o.value = key;
			box.append(o);
		}
		box.value = value;
		box.addEventListener('change', () => {
			set(box.value);
			build();
		});
		label.append(box);
		return {label, box};
	}

	function shapeSelects() {
		const splits = select('Split by ', [['', 'nothing'], ['process', 'process'], ['thread', 'thread']],
				      split, (value) => {
			split = value;
		});
		const groups = select('Group by ', [['', 'function'], ['file', 'file'], ['module', 'module']], group,
				      (value) => {
			group = value;
		});
		[parts.split, parts.splits, parts.group, parts.groups] =
			[splits.box, splits.label, groups.box, groups.label];
	}

	function foldBox() {
		const label = element('label', 'field fold'), input = element('input');
		input.type = 'checkbox';
		input.checked = true;
		input.addEventListener('change', () => tree.setFolding(input.checked));
		label.append(input, element('span', '', 'Collapse library code'));
		return label;
	}

	function toolbar() {
		const bar = element('div', 'toolbar');
		parts.modes = choice('View', [['flame', 'Flame graph'], ['tree', 'Tree'], ['table', 'Functions']],
				     () => mode, setMode);
		parts.directions = choice('Direction', [
			['down', 'Top down', 'callers above what they call'],
			['flame', 'Bottom up', 'the same, the task at the bottom'],
			['up', 'Callers', 'inverted: what took the time, below it who called'],
			['time', 'In time', 'thread by thread, calls in the order of time']
		], () => direction, setDirection);
		shapeSelects();
		parts.folds = foldBox();
		bar.append(parts.modes.box, parts.directions.box, parts.splits, parts.groups, parts.folds, searchBox());
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
		parts.flameBox.append(parts.crumbs, flamePanel(), parts.details, colours.legend());
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
		parts.order = element('p', 'hint');
		parts.order.hidden = true;
		parts.treeBox = element('div');
		parts.treeBox.append(parts.tree, colours.legend());
		card.append(head, parts.order, parts.flameBox, parts.treeBox, parts.table);
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

	/* The filter or the shape has changed: the tree anew. */
	function build() {
		view = direction === 'up' ? profile.callers(filter) : direction === 'time' ?
			viewshapes.inTime(p, filter) : profile.topDown(filter, split);
		if (direction === 'time')
			parts.order.textContent = 'in the order of time; within ' +
				`${data.seconds(view.slices * p.sliceSeconds)} the order is not known`;
		else if (group)
			view = viewshapes.grouped(p, view, group);
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
		list.append(...profilefacts.tiles(p, filter));
		panel.append(list, timeCard(), filterCard(), viewCard());
		const threads = profilefacts.threads(p, setWho);
		if (threads)
			panel.append(threads);
		view = profile.topDown(filter, split);
		setMode('flame');
		update();
		addEventListener('keydown', shortcut);
		colours.dark.addEventListener('change', () => {
			fillChips();
			for (const now of panel.querySelectorAll('.legend'))
				now.replaceWith(colours.legend());
			showView();
		});
	}

	/* True when there is a profile to show. */
	async function make(panel) {
		parts.panel = panel;
		try {
			p = await profile.load();
			colours.start(p);
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
	return {make, choose: (from, to) => strip && strip.choose(from, to),
		has: () => !!(p && strip)};
})();
