/* flame.js - the flame graph: a view of profile.js → boxes on a canvas.
 *
 * Only what is at least half a pixel wide is laid out, only rows on the screen are drawn.
 */
const flame = (() => {
	const ROW = 20, CULL = 0.5;
	/* hue, saturation, lightness by kind of function, in the light and in the dark */
	const light = [[26, 92, 68], [53, 86, 62], [206, 62, 77], [355, 70, 78], [80, 46, 75]];
	const dark = [[24, 52, 40], [52, 50, 34], [207, 36, 37], [352, 38, 42], [82, 30, 33]];

	function hash(text) {
		let h = 5381;
		for (let i = 0; i < text.length; i++)
			h = Math.imul(h, 33) + text.charCodeAt(i) | 0;
		return h >>> 0;
	}

	/* model: whose views they are; on: {focus(node), zoom(node)} are told what the user does. */
	function make(model, canvas, scroller, spacer, on) {
		const context = canvas.getContext('2d');
		const scheme = matchMedia('(prefers-color-scheme: dark)');
		let view = null, zoom = 0, focus = -1, hover = -1, up = false;
		let width = 0, height = 0, rows = 0, letter = 7, waiting = false;
		let boxes = {n: 0, x: new Float32Array(4096), w: new Float32Array(4096),
			     row: new Int32Array(4096), node: new Int32Array(4096)};
		let hits = null, names = new Map(), fills = new Map(), of = null, css = {};

		function readTheme() {
			const style = getComputedStyle(document.documentElement);
			for (const name of ['card', 'text', 'muted', 'line', 'accent', 'match', 'grid'])
				css[name] = style.getPropertyValue(`--${name}`).trim();
			fills = new Map();
		}

		function name(node) {
			const key = view.kind[node] * 0x8000000 + view.id[node];
			let text = names.get(key);
			if (text === undefined) {
				text = data.visible(model.nameOf(view.kind[node], view.id[node]));
				names.set(key, text);
			}
			return text;
		}

		function colour(node) {
			const kind = view.kind[node], id = view.id[node], key = kind * 0x8000000 + id;
			let found = fills.get(key);
			if (found)
				return found;
			const h = hash(name(node)), night = scheme.matches;
			if (kind === model.CAUSE) {
				found = colours.cause(model, id);
			} else if (kind === model.FUNCTION || kind === model.GROUP) {
				const [hue, saturation, l] = (night ? dark : light)[model.codeKind(kind, id)] || light[0];
				found = `hsl(${hue + h % 17 - 8} ${saturation}% ${l + (h >>> 8) % 9 - 4}%)`;
			} else {
				found = night ? '#303c4a' : '#d5dce5';
			}
			fills.set(key, found);
			return found;
		}

		function box(x, w, row, node) {
			if (boxes.n === boxes.x.length) {
				for (const key of ['x', 'w', 'row', 'node']) {
					const grown = new boxes[key].constructor(boxes.n * 2);
					grown.set(boxes[key]);
					boxes[key] = grown;
				}
			}
			boxes.x[boxes.n] = x;
			boxes.w[boxes.n] = w;
			boxes.row[boxes.n] = row;
			boxes.node[boxes.n++] = node;
			rows = Math.max(rows, row + 1);
		}

		/* The way to the zoomed node above it, each box as wide as the screen; then all below. */
		function layout() {
			const total = view.total[zoom], stack = [zoom, 0];
			boxes.n = rows = 0;
			for (let i = view.parent[zoom]; i >= 0; i = view.parent[i])
				box(0, width, view.depth[i], i);
			while (total > 0 && stack.length) {
				const x = stack.pop(), node = stack.pop();
				const scale = width / total;
				let left = x;
				box(x, view.total[node] * scale, view.depth[node], node);
				for (const child of view.children(node)) {
					const w = view.total[child] * scale;
					/* in the order of time a wide one may follow a narrow one */
					if (w < CULL && !view.inTime)
						break;
					if (w >= CULL)
						stack.push(child, left);
					left += w;
				}
			}
			spacer.style.height = `${Math.max(rows * ROW + 6, height)}px`;
		}

		/* As high as the whole graph, within bounds: zooming must not move what is below it. */
		function fit() {
			const kept = zoom;
			zoom = 0;
			layout();
			zoom = kept;
			scroller.style.height = `${Math.max(200, Math.min(rows * ROW + 6, 0.64 * innerHeight))}px`;
		}

		const top = (row) => up ?
			Math.max(rows * ROW + 6, height) - (row + 1) * ROW - 3 - scroller.scrollTop :
			row * ROW + 3 - scroller.scrollTop;

		function text(node, x, w, y) {
			const left = Math.max(0, x), room = Math.floor((Math.min(width, x + w) - left - 8) / letter);
			if (room < 3)
				return;
			const label = name(node);
			context.fillText(label.length > room ? label.slice(0, room - 1) + '…' : label,
					 left + 5, y + ROW / 2 + 0.5);
		}

		function frame(node, sides) {
			for (let i = 0; i < boxes.n; i++)
				if (boxes.node[i] === node)
					context.strokeRect(boxes.x[i] + sides / 2, top(boxes.row[i]) + sides / 2,
							   Math.max(2, boxes.w[i] - 1 - sides),
							   ROW - 1 - sides);
		}

		function draw() {
			const ratio = devicePixelRatio || 1;
			waiting = false;
			if (!view || !width)
				return;
			context.setTransform(ratio, 0, 0, ratio, 0, 0);
			context.clearRect(0, 0, width, height);
			context.font = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
			context.textBaseline = 'middle';
			letter = context.measureText('mmmmmmmmmm').width / 10;
			for (let i = 0; i < boxes.n; i++) {
				const y = top(boxes.row[i]), node = boxes.node[i], w = boxes.w[i];
				if (y < -ROW || y > height)
					continue;
				const passed = view.depth[node] < view.depth[zoom];
				const hit = hits && hits[node];
				context.globalAlpha = passed ? 0.55 : hits && !hit ? 0.32 : 1;
				context.fillStyle = hit ? css.match : colour(node);
				context.fillRect(boxes.x[i], y, w > 2 ? w - 1 : w, ROW - 1);
				if (w > 30) {
					context.globalAlpha = passed ? 0.75 : hits && !hit ? 0.6 : 1;
					context.fillStyle = hit ? '#ffffff' : css.text;
					text(node, boxes.x[i], w, y);
				}
			}
			context.globalAlpha = 1;
			context.strokeStyle = css.text;
			context.lineWidth = 1;
			if (hover >= 0 && hover !== focus)
				frame(hover, 0);
			context.lineWidth = 2;
			context.strokeStyle = css.accent;
			if (focus >= 0)
				frame(focus, 1);
		}

		function redraw() {
			if (waiting)
				return;
			waiting = true;
			requestAnimationFrame(draw);
		}

		function resize() {
			const ratio = devicePixelRatio || 1;
			width = scroller.clientWidth;
			height = scroller.clientHeight;
			canvas.width = Math.round(width * ratio);
			canvas.height = Math.round(height * ratio);
			canvas.style.width = `${width}px`;
			canvas.style.height = `${height}px`;
			if (!view || !width)
				return;
			layout();
			redraw();
		}

		function nodeAt(event) {
			const area = canvas.getBoundingClientRect();
			const x = event.clientX - area.left, y = event.clientY - area.top;
			for (let i = boxes.n - 1; i >= 0; i--) {
				const t = top(boxes.row[i]);
				if (y >= t && y < t + ROW && x >= boxes.x[i] && x < boxes.x[i] + Math.max(1, boxes.w[i]))
					return boxes.node[i];
			}
			return -1;
		}

		function setFocus(node, quiet) {
			focus = node;
			if (node >= 0) {
				const y = top(view.depth[node]);
				if (y < 0)
					scroller.scrollTop += y - 3;
				else if (y + ROW > height)
					scroller.scrollTop += y + ROW - height + 3;
			}
			redraw();
			if (!quiet)
				on.focus(node);
		}

		function setZoom(node) {
			zoom = node;
			layout();
			if (up)
				scroller.scrollTop = scroller.scrollHeight;
			setFocus(node ? node : -1, true);
			on.zoom(node);
		}

		function isBelow(node, root) {
			while (node >= 0 && view.depth[node] > view.depth[root])
				node = view.parent[node];
			return node === root;
		}

		function sibling(node, step) {
			const all = view.children(view.parent[node]), i = all.indexOf(node) + step;
			return i >= 0 && i < all.length ? all[i] : node;
		}

		const down = (node) => view.children(node).length ? view.children(node)[0] : node;
		const parent = (node) => view.parent[node] >= 0 ? view.parent[node] : node;
		const keys = {
			ArrowDown: (at) => setFocus(up ? parent(at) : down(at)),
			ArrowUp: (at) => setFocus(up ? down(at) : parent(at)),
			ArrowLeft: (at) => setFocus(at ? sibling(at, -1) : at),
			ArrowRight: (at) => setFocus(at ? sibling(at, 1) : at),
			Home: () => setFocus(zoom),
			Enter: (at) => setZoom(at),
			Backspace: () => setZoom(parent(zoom)),
			Escape: () => setZoom(0)
		};

		function key(event) {
			const act = keys[event.key];
			if (!view || !act || event.ctrlKey || event.altKey || event.metaKey)
				return;
			event.preventDefault();
			act(focus >= 0 && isBelow(focus, 0) ? focus : zoom);
		}

		function move(event) {
			const node = view ? nodeAt(event) : -1;
			canvas.style.cursor = node >= 0 ? 'pointer' : 'default';
			if (node !== hover) {
				hover = node;
				redraw();
			}
			on.hover(node, event);
		}

		canvas.addEventListener('mousemove', move);
		canvas.addEventListener('mouseleave', () => {
			hover = -1;
			on.hover(-1);
			redraw();
		});
		canvas.addEventListener('click', (event) => {
			const node = view ? nodeAt(event) : -1;
			if (node >= 0)
				setZoom(node);
		});
		canvas.addEventListener('keydown', key);
		canvas.addEventListener('focus', () => {
			if (view && focus < 0)
				setFocus(zoom);
		});
		scroller.addEventListener('scroll', redraw);
		scheme.addEventListener('change', () => {
			readTheme();
			redraw();
		});
		let last = 0;
		new ResizeObserver(() => {
			if (view && scroller.clientWidth && scroller.clientWidth !== last) {
				last = width = scroller.clientWidth;
				fit();
			}
			resize();
		}).observe(scroller);
		readTheme();

		/* A new view keeps the zoom when the same calls are in it. */
		function show(next) {
			const path = [];
			for (let i = zoom; view && i > 0; i = view.parent[i])
				path.push([view.kind[i], view.id[i]]);
			view = next;
			zoom = 0;
			if (of !== model.p) {
				of = model.p;
				names = new Map();
				fills = new Map();
			}
			for (const [kind, id] of path.reverse()) {
				const found = view.children(zoom).find(
					(c) => view.kind[c] === kind && view.id[c] === id);
				if (found === undefined)
					break;
				zoom = found;
			}
			focus = hover = -1;
			hits = null;
			width = scroller.clientWidth;
			if (width)
				fit();
			resize();
			scroller.scrollTop = up ? scroller.scrollHeight : 0;
			on.zoom(zoom);
		}

		function setHits(found) {
			hits = found;
			redraw();
		}

		function setUp(value) {
			up = value;
			layout();
			scroller.scrollTop = up ? scroller.scrollHeight : 0;
			redraw();
		}

		return {show, resize, setHits, setUp, setZoom, drawNow: draw, boxes: () => boxes.n};
	}

	/* Nodes whose name matches, and the time below them; a match inside a match counts once. */
	function search(view, matches) {
		view.complete();
		const hits = new Uint8Array(view.n), inside = new Uint8Array(view.n);
		let sum = 0, n = 0;
		for (let i = 0; i < view.n; i++) {
			const above = view.parent[i] >= 0 && inside[view.parent[i]];
			hits[i] = matches(view.kind[i], view.id[i]) ? 1 : 0;
			inside[i] = above || hits[i];
			n += hits[i];
			if (hits[i] && !above)
				sum += view.total[i];
		}
		return {hits, sum, n};
	}

	return {make, search};
})();
