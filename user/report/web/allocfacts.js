/* allocfacts.js - the numbers around the Allocations tab: tiles, what they rest on, the curve with the peak. */
const allocfacts = (() => {
	const {element} = data;
	const told = (data.manifest.diagnostics || {}).allocations || {};

	function bytes(v) {
		if (!data.isNumber(v))
			return '–';
		const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
		let i = 0;
		for (; Math.abs(v) >= (i ? 1023.95 : 1023.5) && i + 1 < units.length; i++)
			v /= 1024;
		return `${v.toLocaleString('en-US', {minimumFractionDigits: i ? 1 : 0, maximumFractionDigits: i ? 1 : 0})} ${units[i]}`;
	}

	const piece = (facts, n) => `${data.count(n)} ${facts.resident ? 'page' : 'allocation'}${n === 1 ? '' : 's'}`;

	function tile(title, value, note) {
		const div = element('div', 'tile');
		div.append(element('dt', '', title), element('dd', 'number', value), element('dd', 'note', note));
		return div;
	}

	function precision({facts}) {
		if (facts.exact)
			return ['Exact', 'to the byte'];
		const interval = facts.interval ? `95 %: ${bytes(facts.interval[0])} to ${bytes(facts.interval[1])}` : '';
		const gap = facts.gap_bytes ? `one sample in ${bytes(facts.gap_bytes)}` : '';
		return ['Estimated', [interval, gap].filter(Boolean).join('; ') || 'no interval is known'];
	}

	function tiles(source) {
		const {facts, sum} = source, list = element('dl', 'tiles'), peak = sum('peak_bytes');
		const first = tile(facts.resident ? 'Resident at the peak' : 'Live at the peak', bytes(peak),
			`${piece(facts, sum('peak_pieces'))}, at ${data.seconds(facts.peak_s)}`);
		const rest = facts.peak_bytes - peak;
		first.classList.add('main');
		list.append(
			first,
			tile('Live at the end', bytes(sum('leaked_bytes')), piece(facts, sum('leaked_pieces'))),
			tile('Allocated ever', bytes(sum('allocated_bytes')), piece(facts, sum('allocated_pieces'))),
			...(facts.resident ? [] : [tile('Temporary', bytes(sum('temporary_bytes')),
				`${piece(facts, sum('temporary_pieces'))} freed by the next call`)]),
			tile('Not attributed', bytes(Math.max(0, rest)), `of ${bytes(facts.peak_bytes)} at the peak`),
			tile('Precision', ...precision(source)));
		return list;
	}

	/* The same words as on a terminal. */
	function sentences({facts}, main) {
		const card = element('section', 'card rests'), list = element('ul', 'limits');
		card.setAttribute('aria-label', 'What these numbers rest on');
		card.append(element('p', 'total', facts.peak));
		if (facts.remainder)
			card.append(element('p', 'remainder', facts.remainder));
		if (main && Array.isArray(told.limits) && told.limits.length) {
			list.append(...told.limits.map((text) => element('li', '', text)));
			card.append(list);
		}
		return card;
	}

	function flag(context, width, height, end, most, facts, css) {
		const x = facts.peak_s / end * width, text = `peak ${bytes(facts.peak_bytes)} at ${data.seconds(facts.peak_s)}`;
		context.strokeStyle = context.fillStyle = css('--peak');
		context.setLineDash([3, 3]);
		context.lineWidth = 1;
		context.beginPath();
		context.moveTo(x, 0);
		context.lineTo(x, height - 20);
		context.stroke();
		context.setLineDash([]);
		context.font = '600 12px system-ui, sans-serif';
		context.textBaseline = 'top';
		const room = context.measureText(text).width;
		context.fillText(text, x + 6 + room > width ? Math.max(0, x - room - 6) : x + 6, 2);
		context.beginPath();
		context.arc(x, height - 20 - facts.peak_bytes / most * (height - 28), 3.5, 0, 2 * Math.PI);
		context.fill();
	}

	/* Live bytes of the heap where massif.out has them, RSS, and the moment that the views are of. null: neither. */
	function curve({facts}) {
		const card = element('section', 'card time'), head = element('div', 'card-head');
		const area = element('div', 'strip'), canvas = element('canvas'), context = canvas.getContext('2d');
		const rss = timeline.rss(), live = facts.resident ? [] : facts.points;
		/* a single point is no curve */
		const points = live.length > 1 ? live : [];
		const all = [...rss, ...points], most = all.reduce((m, [, b]) => b > m ? b : m, Math.max(facts.peak_bytes, 1));
		const end = all.reduce((m, [t]) => Math.max(m, t), Math.max(data.facts.duration_s || 0, facts.peak_s, 1e-3));
		const highest = (list) => bytes(list.reduce((m, [, b]) => b > m ? b : m, 0));
		const names = [];
		if (points.length)
			names.push(`live bytes of the heap (up to ${highest(points)})`);
		if (rss.length)
			names.push(`RSS (up to ${highest(rss)})`);
		if (!names.length)
			return null;

		function draw() {
			const ratio = devicePixelRatio || 1, width = area.clientWidth, height = area.clientHeight;
			if (!width)
				return;
			canvas.width = Math.round(width * ratio);
			canvas.height = Math.round(height * ratio);
			context.setTransform(ratio, 0, 0, ratio, 0, 0);
			context.clearRect(0, 0, width, height);
			timeline.curve(context, width, height, end, rss, most, timeline.css('--rss'));
			timeline.curve(context, width, height, end, points, most, timeline.css('--accent'));
			timeline.axis(context, width, height, end);
			flag(context, width, height, end, most, facts, timeline.css);
		}

		head.append(element('h2', '', 'Over time'),
			    element('p', 'hint', (names.length > 1 ? 'blue: ' : '') + names.join(', the other line: ')));
		canvas.setAttribute('role', 'img');
		canvas.setAttribute('aria-label', `${names.join(' and ')} over time; the peak is ` +
			`${bytes(facts.peak_bytes)} at ${data.seconds(facts.peak_s)}`);
		area.append(canvas);
		card.append(head, area);
		new ResizeObserver(draw).observe(area);
		colours.dark.addEventListener('change', () => requestAnimationFrame(draw));
		return card;
	}

	return {bytes, piece, tiles, sentences, curve};
})();
