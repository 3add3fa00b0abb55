/* calltree.js - the same view as rows that open and close: wall time, share, CPU, who. */
const calltree = (() => {
	const ROWS_MAX = 2000, OPEN_FROM = 0.05, SMALL = 0.001;

	/* on.zoom(node): a row was chosen for the flame graph */
	function make(p, box, on) {
		const {element} = data;
		let view = null, open = new Set(), rows = [], hits = null, active = 0;

		function openLargest() {
			open = new Set([0]);
			for (let i = 0; i < view.n; i++)
				if (view.total[i] >= OPEN_FROM * view.total[0]) {
					view.children(i);
					open.add(i);
				}
		}

		/* Nodes on the screen in their order, without recursion: stacks may be deep. */
		function visible() {
			const found = [], stack = [0];
			while (stack.length && found.length < ROWS_MAX) {
				const node = stack.pop();
				found.push(node);
				if (!open.has(node))
					continue;
				const children = view.children(node), small = SMALL * view.total[0];
				let n = 0;
				while (n < children.length && view.total[children[n]] >= small)
					n++;
				for (let i = n; i-- > 0;)
					stack.push(children[i]);
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

		function nameCell(node) {
			const td = element('td', 'call'), children = view.children(node).length;
			const kind = view.kind[node], id = view.id[node];
			const twist = element('span', 'twist', !children ? '' : open.has(node) ? '▾' : '▸');
			const place = profile.placeOf(kind, id);
			td.style.paddingLeft = `${4 + Math.min(view.depth[node], 60) * 13}px`;
			twist.setAttribute('aria-hidden', 'true');
			const swatch = element('span', 'swatch');
			swatch.style.background = profileview.kindColour(kind, id);
			td.append(twist, swatch, element('span', 'name', profile.nameOf(kind, id)));
			if (place)
				td.append(element('span', 'place', place));
			return td;
		}

		function row(node, i) {
			const tr = element('tr', hits && hits[node] ? 'hit' : '');
			const total = view.total[node], all = view.total[0] || 1, share = element('td', 'shares');
			tr.setAttribute('role', 'row');
			tr.setAttribute('aria-level', view.depth[node] + 1);
			if (view.children(node).length)
				tr.setAttribute('aria-expanded', open.has(node));
			tr.tabIndex = i === active ? 0 : -1;
			share.append(bar(total / all), element('span', 'percent', data.percent(total / all)));
			tr.append(number(data.seconds(total * p.seconds)), share,
				  number(data.percent(total ? view.cpu[node] / total : 0), 'muted'), nameCell(node));
			tr.addEventListener('click', () => {
				active = i;
				toggle(node);
			});
			tr.addEventListener('dblclick', () => on.zoom(node));
			return tr;
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
			const node = rows[active];
			const acts = {
				ArrowDown: () => focus(active + 1),
				ArrowUp: () => focus(active - 1),
				ArrowRight: () => open.has(node) ? focus(active + 1) : toggle(node),
				ArrowLeft: () => open.has(node) && node ? toggle(node) :
					focus(rows.indexOf(view.parent[node])),
				Enter: () => on.zoom(node)
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
			for (const [title, type] of [['Wall', 'number'], ['Share', ''], ['CPU', 'number'], ['Call', '']]) {
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
			openLargest();
			fill();
		}

		function setHits(found) {
			hits = found;
			/* the way to every match is opened, up to a bound */
			for (let i = 0, n = 0; hits && i < view.n && n < 200; i++) {
				if (!hits[i])
					continue;
				n++;
				for (let up = view.parent[i]; up >= 0; up = view.parent[up])
					open.add(up);
			}
			fill();
		}

		return {show, setHits};
	}

	return {make};
})();
