/* allocmodel.js - allocations of one source: what profile.js sums, with bytes where it has marks and pieces where it
 * has marks on the CPU.
 *
 *	block ──► by line ──(lines of a function as one)──► by function
 *	kind + measure ──► the weights that count
 */
const allocmodel = (() => {
	const KINDS = ['peak', 'leaked', 'allocated', 'temporary'];

	/* Nodes that differ in lines only are one. */
	function byFunction(raw) {
		const of = [], first = [], lines = [...raw.lines];
		raw.same.forEach((same, i) => {
			if (!same)
				first.push(i);
			of.push(first.length - 1);
			/* where lines differ that of the definition is named */
			if (same && lines[i] !== lines[first[of[i]]])
				lines[first[of[i]]] = raw.definitions[i];
		});
		const known = new Map(), nodes = [0], back = [0], functions = [0], pick = (list) => first.map((i) => list[i]);
		for (let i = 1; i < raw.back.length; i++) {
			const parent = nodes[i - raw.back[i]], f = of[raw.functions[i]], key = parent * raw.names.length + f;
			if (!known.has(key)) {
				known.set(key, back.length);
				back.push(back.length - parent);
				functions.push(f);
			}
			nodes.push(known.get(key));
		}
		let line = 0, before = 0;
		const node = raw.samples.node.map((step) => {
			line += step;
			const at = nodes[line], difference = at - before;
			before = at;
			return difference;
		});
		return {
			...raw, back, functions, names: pick(raw.names), files: pick(raw.files), modules: pick(raw.modules),
			kinds: pick(raw.kinds), lines: pick(lines), samples: {...raw.samples, node}
		};
	}

	/* The names that profile.js knows, and only the allocators that were used. */
	function prepared(raw) {
		const used = [...new Set(raw.samples.allocator)].sort((a, b) => a - b);
		const number = new Map(used.map((a, i) => [a, i])), n = raw.samples.node.length;
		return {
			...raw,
			period_ns: 1e9,
			slice_ns: 1e9,
			causes: used.map((a) => ({running: true, name: raw.allocators[a]})),
			samples: {
				...raw.samples,
				cause: raw.samples.allocator.map((a) => number.get(a)),
				slice: new Float64Array(n),
				marks: raw.samples.peak_bytes,
				cpu: raw.samples.peak_pieces
			}
		};
	}

	function columns(samples) {
		const names = [...KINDS.flatMap((kind) => [`${kind}_bytes`, `${kind}_pieces`]), 'error'];
		return Object.fromEntries(names.map((name) => [name, Float64Array.from(samples[name])]));
	}

	const sumOf = (list) => list.reduce((a, b) => a + b, 0);

	/* Throws when the block is damaged. */
	async function load(block) {
		const model = profileOf(), raw = prepared(await model.read(block));
		const made = {line: null, function: null}, values = columns(raw.samples);
		let kind = 'peak', measure = 'bytes';

		function weights() {
			const {samples} = model.p, other = measure === 'bytes' ? 'pieces' : 'bytes';
			samples.marks = values[`${kind}_${measure}`];
			samples.cpu = values[`${kind}_${other}`];
		}

		/* by: 'function' or 'line' */
		function by(what) {
			made[what] = made[what] || model.use(what === 'line' ? raw : byFunction(raw));
			model.set(made[what]);
			weights();
		}

		function choose(nextKind, nextMeasure) {
			kind = nextKind;
			measure = nextMeasure;
			weights();
		}

		/* As profile.functions(); error: half the 95 % interval of a function's own bytes. Errors of independent
		 * entries add up as squares. */
		function functions(filter) {
			const sums = model.functions(filter), {node} = model.p.samples, pass = model.wanted(filter);
			const error = new Float64Array(model.p.names.length);
			for (let i = 0; i < node.length; i++)
				if (node[i] && pass(i))
					error[model.p.functionOf[node[i]]] += values.error[i] ** 2;
			return {...sums, error: error.map(Math.sqrt)};
		}

		by('function');
		return {
			model, facts: raw, by, choose, functions,
			sum: (name) => sumOf(values[name]),
			error: (pass) => Math.sqrt(values.error.reduce((a, e, i) => pass(i) ? a + e * e : a, 0))
		};
	}

	return {load, KINDS};
})();
