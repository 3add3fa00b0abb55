/* profileview.js - the Profile tab: filters on one side, what they choose on the other.
 *
 *	threads, causes, range of time ──► filter ──► flame graph │ tree │ table, timeline, shares
 */
const profileview = (() => {
	const {element} = data;
	const parts = {};
	let p = null, strip = null, filter = null, who = null, calls = null;

	const seconds = (marks) => data.seconds(marks * p.seconds);

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
		parts.reset = callview.button('All of it', () => strip.all());
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
		const card = element('section', 'card filters');
		card.setAttribute('aria-label', 'Filters');
		who = filters.make(profile, filter, {label: 'Causes of time', amount: seconds, update});
		parts.shown = element('p', 'shown');
		parts.shown.setAttribute('aria-live', 'polite');
		card.append(who.field, who.chips, parts.shown);
		return card;
	}

	function numbers(view, node, direction) {
		const kind = view.kind[node], total = view.total[node];
		return `${seconds(total)}, ${data.percent(total / (view.total[0] || 1))} of what is shown` +
			(kind === profile.CAUSE ? '' : `; on the CPU ${seconds(view.cpu[node])}`) +
			(direction === 'up' ? '' : `; in itself ${seconds(view.self[node])}`);
	}

	const units = {
		label: 'Where the time went',
		id: 'flame',
		numbers,
		directions: [
			['down', 'Top down', 'callers above what they call'],
			['flame', 'Bottom up', 'the same, the task at the bottom'],
			['up', 'Callers', 'inverted: what took the time, below it who called'],
			['time', 'In time', 'thread by thread, calls in the order of time']
		],
		tree: {
			columns: [['Wall', 'number'], ['Self', 'number'], ['Share', ''], ['CPU', 'number'], ['Call', '']],
			amount: seconds,
			second: (view, node) => data.percent(view.total[node] ? view.cpu[node] / view.total[node] : 0)
		},
		table: {
			label: 'Functions by time',
			numbers: [
				{title: 'Self', key: 'self', text: seconds}, {title: 'Self CPU', key: 'cpu', text: seconds},
				{title: 'Total', key: 'total', text: seconds}
			]
		},
		functions: () => profile.functions(filter)
	};

	function update() {
		const all = p.samples.marks.reduce((a, b) => a + b, 0);
		calls.build();
		strip.show(filter);
		who.fill();
		showRange();
		parts.shown.textContent = `${seconds(calls.total())} shown, ` +
			`${data.percent(all ? calls.total() / all : 0)} of ${seconds(all)} of thread time`;
	}

	function fill(panel) {
		const list = element('dl', 'tiles');
		filter = {thread: -1, process: -1, causes: new Uint8Array(p.causes.length).fill(1), from: 0, to: Infinity};
		list.append(...profilefacts.tiles(p, filter));
		panel.append(list, timeCard(), filterCard());
		calls = callview.make(profile, filter, units, p.processes.length > 1 ? 'process' : '');
		panel.append(calls.card);
		const threads = profilefacts.threads(p, who.setWho);
		if (threads)
			panel.append(threads);
		update();
		colours.dark.addEventListener('change', () => who.fill());
	}

	/* True when there is a profile to show. */
	async function make(panel) {
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
	return {make, choose: (from, to) => strip && strip.choose(from, to),
		has: () => !!(p && strip)};
})();
