/* viewshapes.js - two more shapes of a view: calls of one file or module as one, and calls in the order of
 * time.
 *
 *	view ──(file or module of each function)──► grouped()
 *	samples ──thread by thread, slice by slice──► inTime()
 */
const viewshapes = (() => {
	const NODES_MAX = 3e6;

	/* The package of an installed file, the module of the standard library; a file of one's own is itself. */
	function packageOf(file) {
		const match = /\/(?:site|dist)-packages\/([^/]+)/.exec(file) || /\/lib\/python[\d.]*\/([^/]+)/.exec(file);
		return match ? match[1].replace(/\.py$/, '') : file;
	}

	/* p.groups: by what is grouped → group of each function; names and kinds of the groups */
	function withGroups(p) {
		const known = new Map(), names = [], kinds = [];
		const group = (name, f) => {
			if (!known.has(name)) {
				known.set(name, names.length);
				names.push(name);
				kinds.push(p.kinds[f]);
			}
			return known.get(name);
		};
		const native = (f) => p.modules[f] || '(no file)';
		return {
			...p,
			groups: {
				file: Int32Array.from(p.names, (n, f) => group(p.files[f] || native(f), f)),
				module: Int32Array.from(p.names, (n, f) => group(p.modules[f] ||
					(p.files[f] ? packageOf(p.files[f]) : native(f)), f))
			},
			groupNames: names,
			groupKinds: kinds
		};
	}

	/* Calls within one file or module are one row; by: a key of p.groups. */
	function grouped(model, view, by) {
		view.complete();
		const v = model.newView(view.n), child = model.interner(v), of = model.p.groups[by];
		const self = view.cpu.slice(0, view.n), to = new Int32Array(view.n);
		for (let i = 1; i < view.n; i++)
			self[view.parent[i]] -= view.cpu[i];
		for (let i = 0; i < view.n; i++) {
			const above = to[view.parent[i]], group = of[view.id[i]];
			if (!i)
				to[i] = 0;
			else if (view.kind[i] !== model.FUNCTION)
				to[i] = child(above, view.kind[i], view.id[i]);
			else if (v.kind[above] === model.GROUP && v.id[above] === group)
				to[i] = above;
			else
				to[i] = child(above, model.GROUP, group);
			v.self[to[i]] += view.self[i];
			v.cpu[to[i]] += self[i];
		}
		return model.sum(v);
	}

	/* Samples by thread, then time. */
	function ordered(model, filter) {
		const {p} = model;
		const pass = model.wanted(filter), rank = new Int32Array(p.threads.length);
		const {thread, slice} = p.samples, found = [];
		p.order.forEach((s, i) => {
			rank[thread[s]] = i;
			if (pass(s))
				found.push(s);
		});
		return found.sort((a, b) => rank[thread[a]] - rank[thread[b]] || slice[a] - slice[b] || a - b);
	}

	/* null: more nodes than a browser bears. */
	function walk(model, order, width) {
		const {p} = model;
		const v = model.newView(order.length), {node, thread, cause, slice, marks} = p.samples;
		const known = new Int32Array(p.parent.length), seen = new Float64Array(p.parent.length).fill(-1);
		const path = new Int32Array(p.parent.length);
		const causes = model.interner(v), threads = new Map();
		/* numbers of slices, those of one thread two behind those of the last: no call goes on there */
		let last = -1, now = 0, start = 0, root = 0;

		function enter(t) {
			const process = p.threads[t].process;
			if (!threads.has(process))
				threads.set(process, v.add(model.PROCESS, process, 0));
			root = v.add(model.THREAD, t, threads.get(process));
			start = now + 2;
			last = t;
		}

		v.inTime = true;
		for (const s of order) {
			if (thread[s] !== last)
				enter(thread[s]);
			now = start + Math.floor(slice[s] / width);
			let depth = 0, to = root, at = node[s];
			for (; at > 0; at = p.parent[at])
				path[depth++] = at;
			while (depth--) {
				at = path[depth];
				if (seen[at] < start || seen[at] < now - 1)
					known[at] = v.add(model.FUNCTION, p.functionOf[at], to);
				seen[at] = now;
				to = known[at];
			}
			if (!p.running[cause[s]])
				to = causes(to, model.CAUSE, cause[s]);
			v.self[to] += marks[s];
			v.cpu[to] += p.running[cause[s]] * marks[s];
			if (v.n > NODES_MAX)
				return null;
		}
		return model.sum(v);
	}

	/* A call that a thread was in in two neighbouring slices is one. Within a slice the order is not known; where
	 * there are too many calls, slices become wider: *.slices is how many are one. */
	function inTime(model, filter) {
		const order = ordered(model, filter);
		for (let width = 1;; width *= 2) {
			const v = walk(model, order, width) || (width > model.p.slices && model.topDown(filter, 'thread'));
			if (!v)
				continue;
			v.slices = width;
			return v;
		}
	}

	return {withGroups, grouped, inTime};
})();
