/* callview.js - one tree of calls as flame graph, tree and table, with what belongs to them: directions,
 * split, group, search, details, the way back from a zoom.
 *
 *	model (profile.js) + filter ──► view ──► flame.js │ calltree.js │ toptable.js
 *
 * Its user builds anew what the filter has changed, and says in which words a call is described.
 */
const callview = (() => {
	const {element} = data;

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

	/* filter: of profile.wanted(); split: the first one
	 * units: {label, id: of this page only, directions, numbers(view, node, direction): text,
	 *	tree: of calltree.js, table: of toptable.js, functions(): sums for the table} */
	function make(model, filter, units, firstSplit) {
		const parts = {}, card = element('section', 'card views'), detailsId = `${units.id}-details`;
		let graph = null, tree = null, table = null, view = null;
		let mode = 'flame', direction = 'down', split = firstSplit, group = '', wanted = '';

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
				table.show(units.functions(), wanted);
			const found = !text ? null : flame.search(view, (kind, id) => {
				const key = kind * 0x8000000 + id;
				if (!seen.has(key))
					seen.set(key, model.nameOf(kind, id).toLowerCase().includes(text));
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
			const kind = view.kind[node], id = view.id[node];
			return {name: model.nameOf(kind, id), place: model.placeOf(kind, id),
				numbers: units.numbers(view, node, direction)};
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
				const b = button(data.visible(model.nameOf(view.kind[i], view.id[i])), () => graph.setZoom(i));
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
			parts.canvas.setAttribute('aria-describedby', detailsId);
			parts.tip = element('div', 'tip');
			parts.tip.hidden = true;
			parts.tip.setAttribute('aria-hidden', 'true');
			parts.flame = box;
			parts.focused = -1;
			scroller.append(parts.canvas, spacer);
			box.append(scroller, parts.tip);
			graph = flame.make(model, parts.canvas, scroller, spacer, {
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
			parts.directions = choice('Direction', units.directions, () => direction, setDirection);
			shapeSelects();
			parts.folds = foldBox();
			bar.append(parts.modes.box, parts.directions.box, parts.splits, parts.groups, parts.folds, searchBox());
			return bar;
		}

		function fill() {
			const head = element('div', 'card-head');
			card.setAttribute('aria-label', units.label);
			parts.crumbs = element('nav', 'crumbs');
			parts.crumbs.setAttribute('aria-label', 'Zoomed calls');
			parts.hint = 'hover or use the arrow keys for details; click or Enter zooms, Esc zooms out, / searches';
			parts.details = element('p', 'details');
			parts.details.id = detailsId;
			parts.details.setAttribute('aria-live', 'polite');
			parts.flameBox = element('div', 'flame-box');
			parts.flameBox.append(parts.crumbs, flamePanel(), parts.details, colours.legend(model));
			parts.tree = element('div', 'scroll tall');
			parts.table = element('div', 'scroll tall');
			tree = calltree.make(model, parts.tree, units.tree, {
				zoom: (node) => {
					setMode('flame');
					graph.setZoom(node);
				}
			});
			table = toptable.make(model, parts.table, units.table, {
				search: (name) => {
					setMode('flame');
					setSearch(name);
				}
			});
			head.append(toolbar());
			parts.order = element('p', 'hint');
			parts.order.hidden = true;
			parts.treeBox = element('div');
			parts.treeBox.append(parts.tree, colours.legend(model));
			card.append(head, parts.order, parts.flameBox, parts.treeBox, parts.table);
		}

		/* The filter or the shape has changed: the tree anew. */
		function build() {
			view = direction === 'up' ? model.callers(filter) : direction === 'time' ?
				viewshapes.inTime(model, filter) : model.topDown(filter, split);
			if (direction === 'time')
				parts.order.textContent = 'in the order of time; within ' +
					`${data.seconds(view.slices * model.p.sliceSeconds)} the order is not known`;
			else if (group)
				view = viewshapes.grouped(model, view, group);
			showView();
		}

		function showView() {
			if (mode === 'flame')
				graph.show(view);
			else if (mode === 'tree')
				tree.show(view);
			showHits();
		}

		function shortcut(event) {
			const inText = /^(input|select|textarea)$/i.test(event.target.tagName);
			if (event.key !== '/' || inText || !card.isConnected || card.closest('[hidden]') || event.ctrlKey || event.altKey)
				return;
			event.preventDefault();
			parts.search.focus();
			parts.search.select();
		}

		fill();
		view = model.topDown(filter, split);
		setMode('flame');
		parts.split.value = split;
		addEventListener('keydown', shortcut);
		colours.dark.addEventListener('change', () => {
			for (const now of card.querySelectorAll('.legend'))
				now.replaceWith(colours.legend(model));
			showView();
		});
		return {card, build, total: () => view.total[0]};
	}

	return {make, button, choice};
})();
