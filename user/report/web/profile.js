/* profile.js - what the page holds of stacks with weights (marks of time; bytes): columns unpacked once, then
 * summed for every choice of time, threads and causes. Each tab has one of its own.
 *
 *	samples ──(filter)──► weights of the tree's nodes ──► view: a tree of its own, top down or of callers
 *
 * Typed arrays throughout: a change of the filter is one pass over the samples.
 */
const profileOf = () => {
	const ALL = 0, PROCESS = 1, THREAD = 2, FUNCTION = 3, CAUSE = 4, GROUP = 5;
	const kindNames = ['own code', 'own Python', 'library', 'kernel', 'Python library'];
	const LIBRARY = 2, PYTHON_LIBRARY = 4;
	let p = null;

	async function read(block) {
		const bytes = Uint8Array.from(atob(block.textContent.trim()), (c) => c.charCodeAt(0));
		const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
		return JSON.parse(await new Response(stream).text());
	}

	/* Whether a function stands in its own callers too: its time there counts once. */
	function findRecursive(parent, functionOf, names) {
		const n = parent.length, recursive = new Uint8Array(n);
		const first = new Int32Array(n).fill(-1), next = new Int32Array(n).fill(-1);
		const onPath = new Int32Array(names);
		for (let i = n - 1; i > 0; i--) {
			next[i] = first[parent[i]];
			first[parent[i]] = i;
		}
		for (let at = first[0]; at > 0;) {
			recursive[at] = onPath[functionOf[at]]++ ? 1 : 0;
			let to = first[at];
			while (to < 0 && at > 0) {
				onPath[functionOf[at]]--;
				to = next[at];
				at = to < 0 ? parent[at] : at;
			}
			at = to;
		}
		return recursive;
	}

	function sampleOrder(samples, threads) {
		const n = samples.node.length, rank = new Int32Array(threads.length);
		threads.map((t, i) => i)
			.sort((a, b) => threads[a].process - threads[b].process || a - b)
			.forEach((thread, i) => {
				rank[thread] = i;
			});
		const start = new Int32Array(threads.length + 1), order = new Int32Array(n);
		for (let i = 0; i < n; i++)
			start[rank[samples.thread[i]] + 1]++;
		for (let i = 0; i < threads.length; i++)
			start[i + 1] += start[i];
		for (let i = 0; i < n; i++)
			order[start[rank[samples.thread[i]]]++] = i;
		return order;
	}

	function unpack(raw) {
		const n = raw.back.length, parent = new Int32Array(n);
		for (let i = 0; i < n; i++)
			parent[i] = i - raw.back[i];
		const samples = {
			node: Int32Array.from(raw.samples.node),
			thread: Int32Array.from(raw.samples.thread),
			cause: Int32Array.from(raw.samples.cause),
			slice: Float64Array.from(raw.samples.slice),
			marks: Float64Array.from(raw.samples.marks),
			/* the second weight: marks on the CPU; pieces of memory */
			cpu: Float64Array.from(raw.samples.cpu || raw.samples.marks.map(
				(m, i) => raw.causes[raw.samples.cause[i]].running ? m : 0))
		};
		for (let i = 1; i < samples.node.length; i++)
			samples.node[i] += samples.node[i - 1];
		const functionOf = Int32Array.from(raw.functions);
		return {
			...raw,
			parent,
			functionOf,
			samples,
			seconds: raw.period_ns / 1e9,
			sliceSeconds: raw.slice_ns / 1e9,
			slices: samples.slice.reduce((a, b) => Math.max(a, b), -1) + 1,
			recursive: findRecursive(parent, functionOf, raw.names.length),
			order: sampleOrder(samples, raw.threads),
			running: Uint8Array.from(raw.causes, (c) => c.running ? 1 : 0)
		};
	}

	function use(raw) {
		p = viewshapes.withGroups(unpack(raw));
		return p;
	}

	/* What use() has made, once more. */
	function set(made) {
		p = made;
	}

	/* null: the run has no profile. */
	async function load() {
		const block = document.getElementById('profile');
		return block ? use(await read(block)) : null;
	}

	/* filter: {thread, process: number or -1; causes: Uint8Array, 1 = wanted; from, to: slices} */
	function wanted(filter) {
		const {thread, cause, slice, marks, cpu} = p.samples;
		const threads = new Uint8Array(p.threads.length);
		p.threads.forEach((t, i) => {
			threads[i] = (filter.thread < 0 || filter.thread === i) &&
				(filter.process < 0 || filter.process === t.process) ? 1 : 0;
		});
		return (i) => threads[thread[i]] && filter.causes[cause[i]] && (marks[i] || cpu[i]) &&
			slice[i] >= filter.from && slice[i] < filter.to;
	}

	/* A tree that grows; parents come before their children. */
	function newView(likely) {
		let room = Math.max(1024, likely);
		const v = {
			n: 0,
			kind: new Uint8Array(room), id: new Int32Array(room), parent: new Int32Array(room),
			depth: new Int32Array(room), self: new Float64Array(room), cpu: new Float64Array(room),
			total: new Float64Array(room),
			/* a stack that goes on alone from here: the next node of the profile's tree, its time */
			tail: new Int32Array(room), tailMarks: new Float64Array(room), tailCpu: new Float64Array(room)
		};
		const columns = Object.keys(v).filter((key) => key !== 'n');
		v.add = (kind, id, parent) => {
			if (v.n === room) {
				room *= 2;
				for (const key of columns) {
					const grown = new v[key].constructor(room);
					grown.set(v[key]);
					v[key] = grown;
				}
			}
			v.kind[v.n] = kind;
			v.id[v.n] = id;
			v.parent[v.n] = parent;
			v.depth[v.n] = parent < 0 ? 0 : v.depth[parent] + 1;
			return v.n++;
		};
		v.add(ALL, 0, -1);
		return v;
	}

	/* The child that a tail begins with; it has the rest of the tail. */
	function growTail(v, i, make) {
		const at = v.tail[i], rest = p.parent[at], made = make(i, FUNCTION, p.functionOf[at]);
		if (rest > 0) {
			v.tail[made] = rest;
			v.tailMarks[made] = v.tailMarks[i];
			v.tailCpu[made] = v.tailCpu[i];
		} else {
			v.self[made] += v.tailMarks[i];
			v.cpu[made] += v.tailCpu[i];
		}
		v.tail[i] = 0;
		return made;
	}

	function sum(v) {
		for (let i = v.n - 1; i >= 0; i--) {
			v.total[i] += v.self[i] + v.tailMarks[i];
			v.cpu[i] += v.tailCpu[i];
			if (!i)
				break;
			v.total[v.parent[i]] += v.total[i];
			v.cpu[v.parent[i]] += v.cpu[i];
		}
		const summed = v.n, grown = new Map(), none = new Int32Array(0);
		v.start = new Int32Array(v.n + 2);
		v.list = new Int32Array(v.n);
		v.sorted = new Uint8Array(v.n);
		for (let i = 1; i < v.n; i++)
			v.start[v.parent[i] + 2]++;
		for (let i = 2; i < v.n + 2; i++)
			v.start[i] += v.start[i - 1];
		for (let i = 1; i < v.n; i++)
			v.list[v.start[v.parent[i] + 1]++] = i;
		v.children = (i) => {
			if (v.tail[i]) {
				const {tailMarks, tailCpu} = v, marks = tailMarks[i], cpu = tailCpu[i];
				const made = growTail(v, i, (parent, kind, id) => v.add(kind, id, parent));
				v.total[made] = marks;
				v.cpu[made] = cpu;
				grown.set(i, Int32Array.of(made));
			}
			if (i >= summed || grown.has(i))
				return grown.get(i) || none;
			const part = v.list.subarray(v.start[i], v.start[i + 1]);
			if (!v.sorted[i] && !v.inTime) {
				v.sorted[i] = 1;
				part.sort((a, b) => v.total[b] - v.total[a] || a - b);
			}
			return part;
		};
		/* Until then nodes that nobody looked at may be missing. */
		v.complete = () => {
			for (let i = 0; i < v.n; i++)
				if (v.tail[i])
					v.children(i);
		};
		return v;
	}

	/* From the task to the leaves. split: '', 'process', 'thread'. */
	function topDown(filter, split) {
		const v = newView(Math.ceil(p.parent.length * 1.3)), pass = wanted(filter);
		const {node, thread, cause, marks, cpu} = p.samples;
		const known = new Int32Array(p.parent.length), round = new Int32Array(p.parent.length);
		let process = -1, last = -1, processNode = 0, root = 0, now = 1;
		let firstCause = new Int32Array(1024).fill(-1);
		const nextCause = new Map();

		function enter(s) {
			const t = thread[s];
			if (!split || t === last)
				return;
			if (p.threads[t].process !== process) {
				process = p.threads[t].process;
				root = processNode = v.add(PROCESS, process, 0);
				now++;
			}
			if (split === 'thread') {
				root = v.add(THREAD, t, processNode);
				now++;
			}
			last = t;
		}

		/* no stack is deeper than there are nodes */
		const path = new Int32Array(p.parent.length);

		function place(at) {
			let depth = 0;
			for (; at > 0 && round[at] !== now; at = p.parent[at])
				path[depth++] = at;
			let to = at > 0 ? known[at] : root;
			while (depth--) {
				const below = path[depth];
				to = v.add(FUNCTION, p.functionOf[below], to);
				known[below] = to;
				round[below] = now;
			}
			return to;
		}

		function causeBelow(to, id) {
			if (to >= firstCause.length) {
				const grown = new Int32Array(Math.max(to + 1, firstCause.length * 2)).fill(-1);
				grown.set(firstCause);
				firstCause = grown;
			}
			for (let c = firstCause[to]; c >= 0; c = nextCause.get(c))
				if (v.id[c] === id)
					return c;
			const made = v.add(CAUSE, id, to);
			nextCause.set(made, firstCause[to]);
			firstCause[to] = made;
			return made;
		}

		for (const s of p.order) {
			if (!pass(s))
				continue;
			enter(s);
			let to = place(node[s]);
			if (!p.running[cause[s]])
				to = causeBelow(to, cause[s]);
			v.self[to] += marks[s];
			v.cpu[to] += cpu[s];
		}
		return sum(v);
	}

	/* (parent, kind, id) → node of the view; open addressing. */
	function interner(v) {
		let mask = (1 << Math.min(24, 3 + Math.ceil(Math.log2(p.parent.length + 1024)))) - 1, table = new Int32Array(mask + 1).fill(-1);
		const hash = (parent, kind, id) => {
			let h = Math.imul(parent, 0x9e3779b1) ^ Math.imul(id * 8 + kind, 0x85ebca6b);
			h = Math.imul(h ^ h >>> 15, 0x2c1b3c6d);
			return (h ^ h >>> 13) & mask;
		};
		const slot = (parent, kind, id) => {
			let i = hash(parent, kind, id);
			for (; table[i] >= 0; i = (i + 1) & mask) {
				const at = table[i];
				if (v.parent[at] === parent && v.id[at] === id && v.kind[at] === kind)
					break;
			}
			return i;
		};
		return (parent, kind, id) => {
			let i = slot(parent, kind, id);
			if (table[i] >= 0)
				return table[i];
			if (v.n * 2 > mask) {
				mask = mask * 2 + 1;
				table = new Int32Array(mask + 1).fill(-1);
				for (let j = 1; j < v.n; j++)
					table[slot(v.parent[j], v.kind[j], v.id[j])] = j;
				i = slot(parent, kind, id);
			}
			return table[i] = v.add(kind, id, parent);
		};
	}

	/* From what took the time to who called it. A node's self is the time of stacks that end there:
	 * their outermost caller. Most stacks are alone from some caller on: that tail is made when it is
	 * looked at. */
	function callers(filter) {
		const v = newView(p.parent.length), pass = wanted(filter), child = interner(v);
		const {node, cause, marks, cpu} = p.samples, n = node.length;
		const weights = new Float64Array(p.causes.length), second = new Float64Array(p.causes.length);

		function put(at, c, m, now) {
			let to = 0;
			if (!p.running[c])
				to = child(to, CAUSE, c);
			for (; at > 0; at = p.parent[at]) {
				if (v.tail[to]) {
					growTail(v, to, child);
					v.tailMarks[to] = v.tailCpu[to] = 0;
				}
				const n = v.n;
				to = child(to, FUNCTION, p.functionOf[at]);
				if (v.n > n && p.parent[at] > 0) {
					v.tail[to] = p.parent[at];
					v.tailMarks[to] = m;
					v.tailCpu[to] = now;
					return;
				}
			}
			v.self[to] += m;
			v.cpu[to] += now;
		}

		for (let i = 0; i < n;) {
			const at = node[i];
			weights.fill(0);
			second.fill(0);
			for (; i < n && node[i] === at; i++) {
				if (!pass(i))
					continue;
				weights[cause[i]] += marks[i];
				second[cause[i]] += cpu[i];
			}
			weights.forEach((m, c) => {
				if (m || second[c])
					put(at, c, m, second[c]);
			});
		}
		return sum(v);
	}

	/* Self, on the CPU, and total marks of every function. */
	function functions(filter) {
		const {node, marks, cpu: second} = p.samples, pass = wanted(filter);
		const weight = new Float64Array(p.parent.length), n = p.names.length;
		const self = new Float64Array(n), cpu = new Float64Array(n), total = new Float64Array(n);
		for (let i = 0; i < node.length; i++) {
			if (!pass(i))
				continue;
			weight[node[i]] += marks[i];
			if (node[i]) {
				self[p.functionOf[node[i]]] += marks[i];
				cpu[p.functionOf[node[i]]] += second[i];
			}
		}
		for (let i = weight.length - 1; i > 0; i--) {
			if (!p.recursive[i])
				total[p.functionOf[i]] += weight[i];
			weight[p.parent[i]] += weight[i];
		}
		return {self, cpu, total, all: weight[0] || 0};
	}

	/* Marks by cause and by thread, each without its own filter. */
	function shares(filter) {
		const {thread, cause, marks} = p.samples;
		const byCause = new Float64Array(p.causes.length);
		const byThread = new Float64Array(p.threads.length);
		const anyCause = wanted({...filter, causes: new Uint8Array(p.causes.length).fill(1)});
		const anyThread = wanted({...filter, thread: -1, process: -1});
		for (let i = 0; i < marks.length; i++) {
			if (anyCause(i))
				byCause[cause[i]] += marks[i];
			if (anyThread(i))
				byThread[thread[i]] += marks[i];
		}
		return {byCause, byThread};
	}

	/* Marks by bin of time and by cause, without the filter of time. */
	function overTime(filter, bins) {
		const {cause, slice, marks} = p.samples, causes = p.causes.length;
		const pass = wanted({...filter, from: 0, to: Infinity});
		const found = new Float64Array(bins * causes), scale = bins / Math.max(1, p.slices);
		for (let i = 0; i < marks.length; i++)
			if (pass(i))
				found[Math.min(bins - 1, Math.floor(slice[i] * scale)) * causes +
					cause[i]] += marks[i];
		return found;
	}

	function threadName(i) {
		const t = p.threads[i], id = `-${t.tid}`;
		return t.name.endsWith(id) ? t.name : `${t.name || 'thread'}${id}`;
	}

	function nameOf(kind, id) {
		const names = [
			() => 'all', () => p.processes[id].name, () => threadName(id), () => p.names[id],
			() => p.causes[id].name, () => p.groupNames[id]
		];
		return names[kind]();
	}

	/* Whose code it is: an index of kindNames. */
	function codeKind(kind, id) {
		return kind === GROUP ? p.groupKinds[id] : p.kinds[id];
	}

	function isLibrary(kind, id) {
		const code = kind === FUNCTION || kind === GROUP ? codeKind(kind, id) : -1;
		return code === LIBRARY || code === PYTHON_LIBRARY;
	}

	/* "file.py:12 · module", or '' */
	function placeOf(kind, id) {
		if (kind !== FUNCTION)
			return kind === CAUSE ? 'cause of a wait' : '';
		const file = p.files[id], line = p.lines[id], parts = [];
		if (file)
			parts.push(line ? `${file}:${line}` : file);
		if (p.modules[id])
			parts.push(p.modules[id]);
		return parts.join(' · ');
	}

	return {
		read, use, set, load, wanted, newView, sum, interner, codeKind, isLibrary, topDown, callers, functions, shares,
		overTime, nameOf, placeOf, threadName, kindNames,
		ALL, PROCESS, THREAD, FUNCTION, CAUSE, GROUP,
		get p() {
			return p;
		},
	};
};

const profile = profileOf();
