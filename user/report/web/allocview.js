/* allocview.js - the Allocations tab: who held the bytes.
 *
 *	source, kind, measure, function or line ──► weights ─┐
 *	threads, allocators ──► filter ──────────────────────┴─► flame graph │ tree │ table
 */
const allocview = (() => {
	const {element} = data;
	const {bytes, piece} = allocfacts;
	const KINDS = [
		['peak', 'At the peak', 'live when the sum over all was highest'],
		['leaked', 'At the end', 'live at the end: leaks, or not freed yet'],
		['allocated', 'Allocated ever', 'everything that was asked for, freed or not'],
		['temporary', 'Temporary', 'freed by the next call of the thread']
	];
	const names = {
		peak: 'live at the peak', leaked: 'live at the end', allocated: 'allocated ever',
		temporary: 'freed by the next call of the thread'
	};
	const sources = new Map();
	let chosen = '', kind = 'peak', measure = 'bytes', by = 'function';

	const has = () => !!document.querySelector('#allocations, #resident, #allocations-problem');
	const blocks = () => ['allocations', 'resident'].filter((id) => document.getElementById(id));

	function words(source, filter) {
		const {facts, model} = source, isBytes = () => measure === 'bytes';
		const first = (v) => isBytes() ? bytes(v) : data.count(v), second = (v) => isBytes() ? data.count(v) : bytes(v);
		const pieces = facts.resident ? 'Pages' : 'Pieces';
		return {
			label: 'Who held the bytes',
			id: 'alloc',
			directions: [
				['down', 'Top down', 'callers above what they call'],
				['flame', 'Bottom up', 'the same, the task at the bottom'],
				['up', 'Callers', 'inverted: what asked for the memory, below it who called']
			],
			numbers: (view, node, direction) => {
				const all = view.total[0] || 1, total = view.total[node], other = view.cpu[node];
				return `${isBytes() ? bytes(total) : piece(facts, total)}, ${data.percent(total / all)} of what is shown; ` +
					`${isBytes() ? `in ${piece(facts, other)}` : bytes(other)}` +
					(direction === 'up' ? '' : `; of its own ${first(view.self[node])}`);
			},
			tree: {
				get columns() {
					return [[isBytes() ? 'Bytes' : pieces, 'number'], ['Own', 'number'], ['Share', ''],
						[isBytes() ? pieces : 'Bytes', 'number'], ['Call', '']];
				},
				amount: first,
				second: (view, node) => second(view.cpu[node])
			},
			table: {
				label: 'Functions by what they hold',
				numbers: [
					{title: 'Own', key: 'self', text: first}, {title: 'With calls', key: 'total', text: first},
					{title: 'Own, in', key: 'cpu', text: (v) => isBytes() ? piece(facts, v) : bytes(v), plain: true},
					...(!source.sum('error') ? [] : [{title: '± 95 %', key: 'error', plain: true,
						text: (v) => kind === 'peak' && v > 0 ? bytes(v) : ''}])
				]
			},
			functions: () => source.functions(filter),
			all: () => model.p.samples.marks.reduce((a, b) => a + b, 0),
			first
		};
	}

	/* The moment, the measure: everything below follows. */
	function switches(source, update, again) {
		const choices = [], kinds = KINDS.filter(([name]) => name !== 'temporary' || !source.facts.resident);
		if (blocks().length > 1)
			choices.push(callview.choice('Source', blocks().map((id) =>
				[id, sources.get(id).facts.resident ? 'Resident pages' : 'Heap']), () => chosen, (id) => {
				chosen = id;
				again();
			}));
		choices.push(
			callview.choice('Moment', kinds, () => kind, (next) => {
				kind = next;
				update();
			}),
			callview.choice('Measure', [['bytes', 'Bytes'], ['pieces', source.facts.resident ? 'Pages' : 'Pieces']],
				() => measure, (next) => {
					measure = next;
					update();
				}),
			callview.choice('Each', [['function', 'By function'], ['line', 'By line', 'each line of a function on its own']],
				() => by, (next) => {
					by = next;
					update();
				}));
		return choices;
	}

	function shownText(source, filter, units, total) {
		const {facts} = source, all = units.all(), pass = source.model.wanted(filter);
		const error = kind === 'peak' && measure === 'bytes' && !facts.exact ? source.error(pass) : 0;
		return `${measure === 'bytes' ? bytes(total) : piece(facts, total)} ${names[kind]}` +
			(error ? ` ± ${bytes(error)}` : '') +
			(total < all ? `, ${data.percent(total / all)} of ${units.first(all)}` : '');
	}

	/* A source's part of the page, made once: {nodes, update} */
	function build(source, main, again) {
		const {model} = source, causes = new Uint8Array(model.p.causes.length).fill(1);
		const filter = {thread: -1, process: -1, causes, from: 0, to: Infinity};
		const units = words(source, filter), shown = element('p', 'shown'), card = element('section', 'card filters');
		const choices = switches(source, () => update(), again);
		source.choose(kind, measure);
		const who = filters.make(model, filter, {
			label: 'Allocators', amount: units.first, update: () => update(), follows: true
		});
		const calls = callview.make(model, filter, units, model.p.processes.length > 1 ? 'process' : '');

		/* the other source may have been switched meanwhile */
		function update() {
			if (source.facts.resident && kind === 'temporary')
				kind = 'peak';
			source.choose(kind, measure);
			source.by(by);
			calls.build();
			who.fill();
			shown.textContent = shownText(source, filter, units, calls.total());
			for (const choice of choices)
				choice.mark();
		}

		card.setAttribute('aria-label', 'What is shown');
		shown.setAttribute('aria-live', 'polite');
		card.append(...choices.map((choice) => choice.box), who.field, who.chips, shown);
		colours.dark.addEventListener('change', () => who.fill());
		return {
			nodes: [allocfacts.tiles(source), allocfacts.sentences(source, main), allocfacts.curve(source), card,
				calls.card].filter(Boolean),
			update
		};
	}

	function fill(panel) {
		const source = sources.get(chosen);
		source.part = source.part || build(source, chosen === 'allocations', () => fill(panel));
		panel.replaceChildren(...problem(), ...source.part.nodes);
		source.part.update();
	}

	function problem() {
		const block = document.getElementById('allocations-problem');
		return block ? [element('p', 'plain', JSON.parse(block.textContent))] : [];
	}

	async function read(panel) {
		try {
			for (const id of blocks())
				sources.set(id, await allocmodel.load(document.getElementById(id)));
		} catch (error) {
			panel.append(element('p', 'plain', typeof DecompressionStream === 'undefined' ?
				'The allocations need a browser with DecompressionStream (2023 or newer).' :
				'The allocations in this page are damaged; make the page again.'));
			return;
		}
		chosen = blocks()[0] || '';
		if (chosen && sources.get(chosen).model.p.samples.marks.length)
			fill(panel);
		else if (chosen)
			panel.append(...problem(), element('p', 'plain', 'The allocations hold no entry.'));
		else
			panel.append(...problem());
	}

	let begun = false;

	/* Unpacked when the tab is looked at for the first time. */
	function show(panel) {
		if (!begun)
			read(panel);
		begun = true;
	}

	return {has, show};
})();
