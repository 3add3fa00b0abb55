/* calltree.js - the same view as rows that open and close: what it weighs, its share, who. */
const calltree = (() => {
	const ROWS_MAX = 2000, OPEN_FROM = 0.05, SMALL = 0.001;
	/* library calls that make a row: below the least nothing would be saved */
	const RUN_MIN = 2, RUN_MAX = 20000;

	/* units: {columns: [title, class] of five; amount(marks), second(view, node): texts}
	 * on.zoom(node): a row was chosen for the flame graph */
	function make(model, box, units, on) {
		const {element} = data;
		let view = null, open = new Set(), rows = [], hits = null, text = '', active = 0;
		let folding = true, unfolded = new Set();

		function openLargest() {
			open = new Set([0]);
			for (let i = 0; i < view.n; i++)
				if (view.total[i] >= OPEN_FROM * view.total[0]) {
					view.children(i);
					open.add(i);
				}
		}

		/* Library calls below @root down to what is not: {hidden: how many, self: their own marks, exits}. null: not worth a row, or what
		 * is searched for is among them. */
		function runBelow(root) {
			const stack = [...view.children(root)], exits = [];
			let hidden = 0, self = 0;
			while (stack.length) {
				const node = stack.pop();
				if (view.total[node] < SMALL * view.total[0])
					continue;
				if (!model.isLibrary(view.kind[node], view.id[node])) {
					exits.push(node);
					continue;
				}
				if ((hits && hits[node]) || hidden++ > RUN_MAX)
					return null;
				for (const child of view.children(node))
					stack.push(child);
				self += view.self[node];
			}
			exits.sort((a, b) => view.inTime ? a - b : view.total[b] - view.total[a] || a - b);
			return hidden >= RUN_MIN ? {hidden, self, exits} : null;
		}

		function startsRun(node) {
			const above = view.parent[node], is = (i) => model.isLibrary(view.kind[i], view.id[i]);
			return folding && !unfolded.has(node) && is(node) && !(above >= 0 && is(above));
		}

		/* Rows on the screen in their order, without recursion: stacks may be deep. */
		function visible() {
			const found = [], stack = [{node: 0, level: 0, hidden: 0}], small = SMALL * view.total[0];
			while (stack.length && found.length < ROWS_MAX) {
				const at = stack.pop(), run = startsRun(at.node) ? runBelow(at.node) : null;
				found.push(at);
				if (!open.has(at.node))
					continue;
				if (run)
					found.push({node: at.node, level: at.level + 1, hidden: run.hidden, self: run.self});
				const below = run ? run.exits : view.children(at.node).filter((i) => view.total[i] >= small);
				for (let i = below.length; i-- > 0;)
					stack.push({node: below[i], level: at.level + (run ? 2 : 1), hidden: 0});
			}
			return {found, cut: stack.length > 0};
		}

		function bar(ratio) {
			const outer = element('span', 'bar'), fill = element('span', 'fill');
			fill.style.width = `${Math.min(100, 100 * ratio)}%`;
			outer.append(fill);
			return outer;
		}

		function number(text, className) {
			return element('td', `number ${className || ''}`, text);
		}

		/* The name with what is searched for marked in it. */
		function marked(name) {
			const span = element('span', 'name'), shown = data.visible(name), low = shown.toLowerCase();
			let from = 0, at = text && low.length === shown.length ? low.indexOf(text) : -1;
			for (; at >= 0; at = low.indexOf(text, from)) {
				const mark = element('mark');
				mark.append(shown.slice(at, at + text.length));
				span.append(shown.slice(from, at), mark);
				from = at + text.length;
			}
			span.append(shown.slice(from));
			return span;
		}

		function indent(td, level) {
			td.style.paddingLeft = `${4 + Math.min(level, 60) * 13}px`;
		}

		function nameCell(node, level) {
			const td = element('td', 'call'), children = view.children(node).length;
			const kind = view.kind[node], id = view.id[node];
			const twist = element('span', 'twist', !children ? '' : open.has(node) ? '▾' : '▸');
			const place = model.placeOf(kind, id);
			indent(td, level);
			twist.setAttribute('aria-hidden', 'true');
			const swatch = element('span', 'swatch');
			swatch.style.background = colours.of(model, kind, id);
			td.append(twist, swatch, marked(model.nameOf(kind, id)));
			if (place)
				td.append(element('span', 'place', place));
			return td;
		}

		/* Opened, a run stays so until the view changes. */
		function foldRow(at) {
			const tr = element('tr', 'hidden-frames'), td = element('td', 'call');
			indent(td, at.level);
			td.append(element('span', 'twist', '⋯'), element('span', '',
				`${data.count(at.hidden)} frame${at.hidden === 1 ? '' : 's'} hidden`));
			td.title = 'calls of libraries; click or Enter shows them';
			tr.append(number(''), number(at.self ? units.amount(at.self) : '', 'self'),
				  element('td'), number(''), td);
			tr.setAttribute('aria-expanded', 'false');
			return tr;
		}

		function callRow({node, level}) {
			const tr = element('tr', hits && hits[node] ? 'hit' : '');
			const total = view.total[node], all = view.total[0] || 1, share = element('td', 'shares');
			/* a tail that was not made yet is below: none of it is this call's own */
			const self = view.self[node];
			if (view.children(node).length)
				tr.setAttribute('aria-expanded', open.has(node));
			share.append(bar(total / all), element('span', 'percent', data.percent(total / all)));
			tr.append(number(units.amount(total)),
				  number(self ? units.amount(self) : '', 'self'), share,
				  number(units.second(view, node), 'muted'), nameCell(node, level));
			tr.addEventListener('dblclick', () => on.zoom(node));
			return tr;
		}

		function row(at, i) {
			const tr = at.hidden ? foldRow(at) : callRow(at);
			tr.setAttribute('role', 'row');
			tr.setAttribute('aria-level', at.level + 1);
			tr.tabIndex = i === active ? 0 : -1;
			tr.addEventListener('click', () => {
				active = i;
				act(at);
			});
			return tr;
		}

		function act(at) {
			if (!at.hidden)
				return toggle(at.node);
			unfolded.add(at.node);
			for (const child of view.children(at.node))
				open.add(child);
			fill();
			return focus(active);
		}

		function toggle(node) {
			if (open.has(node))
				open.delete(node);
			else
				open.add(node);
			fill();
			focus(active);
		}

		function focus(i) {
			const all = box.querySelectorAll('tbody tr');
			if (!all.length)
				return;
			active = Math.max(0, Math.min(rows.length - 1, i));
			all.forEach((tr, j) => {
				tr.tabIndex = j === active ? 0 : -1;
			});
			all[active].focus();
		}

		function key(event) {
			const at = rows[active] || {node: 0, level: 0, hidden: 0}, {node, hidden} = at;
			const up = () => {
				let i = active;
				while (i > 0 && rows[i].level >= at.level)
					i--;
				focus(i);
			};
			const acts = {
				ArrowDown: () => focus(active + 1),
				ArrowUp: () => focus(active - 1),
				Home: () => focus(0),
				End: () => focus(rows.length - 1),
				ArrowRight: () => !hidden && open.has(node) ? focus(active + 1) : act(at),
				ArrowLeft: () => !hidden && open.has(node) && node ? toggle(node) : up(),
				Enter: () => hidden ? act(at) : on.zoom(node)
			};
			if (!acts[event.key] || !view)
				return;
			event.preventDefault();
			acts[event.key]();
		}

		function fill() {
			const {found, cut} = visible(), table = element('table', 'calls');
			const thead = element('thead'), tr = element('tr'), body = element('tbody');
			rows = found;
			active = Math.min(active, rows.length - 1);
			table.setAttribute('role', 'treegrid');
			table.setAttribute('aria-label', 'Calls as a tree');
			for (const [title, type] of units.columns) {
				const th = element('th', type, title);
				th.scope = 'col';
				tr.append(th);
			}
			thead.append(tr);
			body.append(...rows.map(row));
			table.append(thead, body);
			box.replaceChildren(table);
			if (cut)
				box.append(element('p', 'hint',
						   `the first ${data.count(ROWS_MAX)} rows; close some to see the rest`));
		}

		box.addEventListener('keydown', key);

		function show(next) {
			view = next;
			active = 0;
			unfolded = new Set();
			openLargest();
			fill();
		}

		/* found: nodes; wanted: what of their names is marked */
		function setHits(found, wanted) {
			hits = found;
			text = wanted.toLowerCase();
			if (!text)
				return fill();
			/* the way to every match is opened, up to a bound */
			for (let i = 0, n = 0; hits && i < view.n && n < 200; i++) {
				if (!hits[i])
					continue;
				n++;
				for (let up = view.parent[i]; up >= 0; up = view.parent[up])
					open.add(up);
			}
			fill();
			const first = box.querySelector('tr.hit');
			if (first)
				box.scrollTop += first.getBoundingClientRect().top - box.getBoundingClientRect().top -
					box.clientHeight / 3;
		}

		/* The next row that matches, from the active one on and around. */
		function nextHit() {
			const from = box.contains(document.activeElement) ? active + 1 : 0;
			for (let i = 0; hits && i < rows.length; i++) {
				const at = (from + i) % rows.length;
				if (!rows[at].hidden && hits[rows[at].node])
					return focus(at);
			}
		}

		function setFolding(on) {
			folding = on;
			unfolded = new Set();
			fill();
		}

		return {show, setHits, setFolding, nextHit};
	}

	return {make};
})();
