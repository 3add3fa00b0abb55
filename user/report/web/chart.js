/* chart.js - the curves: rows → dygraphs, peak and gaps marked, values beside the switches. */
const chart = (() => {
	const MB = 1048576;
	const list = [
		{name: 'RSS', column: 'rss_bytes', on: true, fill: true, width: 2},
		{
			name: 'Peaks',
			column: 'rss_peak_bytes',
			on: false,
			dash: [4, 3],
			hint: 'highest RSS since the row before, where offered exact between ticks'
		},
		{name: 'Anon', column: 'anon_bytes', on: true},
		{name: 'File', column: 'file_bytes', on: true},
		{name: 'Shared', column: 'shmem_bytes', on: false},
		{name: 'Swap', column: 'swap_bytes', on: false},
		{
			name: 'PSS',
			column: 'pss_bytes',
			on: false,
			dash: [2, 2],
			points: true,
			hint: 'shared pages divided among those who map them; measured rarely'
		},
		...cgroupCurves(),
	];

	/* Only where a cgroup was observed: seven switches are enough elsewhere. */
	function cgroupCurves() {
		return data.column.cgroup_usage_bytes === undefined ||
				!data.run.rows.some((r) => data.isNumber(r[data.column.cgroup_usage_bytes])) ?
			[] :
			[
				{name: 'Cgroup', column: 'cgroup_usage_bytes', on: true, width: 2,
				 hint: 'what the kernel counts for the cgroup: heap, caches, its own'},
				{name: 'Its cache', column: 'cgroup_file_bytes', on: true},
				{name: 'Its kernel', column: 'cgroup_kernel_bytes', on: false},
			];
	}
	const {facts, column, isNumber} = data;
	const plot = document.getElementById('plot');
	let graph = null, span = null, flag = null, caption = null;

	const css = (name) =>
		getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const values = (row) => list.map(
		(s) => isNumber(row[column[s.column]]) ? row[column[s.column]] / MB : null);
	const empty = (x, v) => [x, ...list.map(() => v)];

	/* null is bridged (not measured in this row), NaN is not (a gap). */
	function points() {
		const rows = [], end = facts.duration_s;
		let before = null;
		for (const row of data.run.rows) {
			const x = row[column.time_s];
			if (row[0] === 'gap' && before !== null)
				rows.push(empty((before + x) / 2, NaN));
			rows.push([x, ...values(row)]);
			before = x;
		}
		addPeak(rows);
		if (rows[0][0] > 0)
			rows.unshift(empty(0, null));
		if (end > rows[rows.length - 1][0])
			rows.push(empty(end, null));
		return rows;
	}

	/* The run's peak is a point of the curve even when its row was merged. */
	function addPeak(rows) {
		const peak = facts.peak_bytes / MB, x = facts.peak_time_s;
		if (!isNumber(facts.peak_bytes) ||
		    rows.some((r) => r[1] === peak && Math.abs(r[0] - x) < 0.002))
			return;
		const at = rows.findIndex((r) => r[0] > x), row = empty(x, null);
		row[1] = peak;
		rows.splice(at < 0 ? rows.length : at, 0, row);
	}

	function gaps() {
		const rows = data.run.rows, found = [];
		for (let i = 1; i < rows.length; i++)
			if (rows[i][0] === 'gap')
				found.push([ rows[i - 1][column.time_s], rows[i][column.time_s] ]);
		return found;
	}

	function band(context, area, g, from, to, colour) {
		const left = Math.max(area.x, g.toDomXCoord(from));
		const right = Math.min(area.x + area.w, g.toDomXCoord(to));
		if (right < area.x || left > area.x + area.w)
			return;
		context.fillStyle = colour;
		context.fillRect(left, area.y, Math.max(1, right - left), area.h);
	}

	function gap(context, area, g, from, to) {
		const left = Math.max(area.x, g.toDomXCoord(from));
		const right = Math.min(area.x + area.w, g.toDomXCoord(to));
		band(context, area, g, from, to, css('--gap'));
		if (right - left < 36)
			return;
		context.fillStyle = css('--muted');
		context.font = '12px sans-serif';
		context.textAlign = 'center';
		context.fillText('gap', (left + right) / 2, area.y + 16);
	}

	function underlay(context, area, g) {
		for (const [from, to] of gaps())
			gap(context, area, g, from, to);
		if (span)
			band(context, area, g, span[0], span[1], css('--span'));
		const x = g.toDomXCoord(facts.peak_time_s);
		if (!isNumber(facts.peak_time_s) || x < area.x || x > area.x + area.w)
			return;
		context.save();
		context.strokeStyle = css('--peak');
		context.setLineDash([3, 3]);
		context.beginPath();
		context.moveTo(x, area.y);
		context.lineTo(x, area.y + area.h);
		context.stroke();
		context.restore();
	}

	/* The flag at the peak follows every zoom; outside of the window it hides. */
	function placeFlag(g) {
		const area = g.getArea(), x = g.toDomXCoord(facts.peak_time_s),
		      y = g.toDomYCoord(facts.peak_bytes / MB);
		const inside = x >= area.x && x <= area.x + area.w && y >= area.y - 1 &&
			y <= area.y + area.h;
		const left = x > area.x + area.w / 2;
		flag.hidden = !inside;
		flag.classList.toggle('left', left);
		flag.style.left = `${x}px`;
		flag.style.top = `${Math.min(y, area.y + area.h - 24)}px`;
	}

	function show(row, text) {
		caption.textContent = text;
		list.forEach((s, i) => {
			s.value.textContent = s.has ? '–' : 'not measured';
			if (row && isNumber(row[i + 1]))
				s.value.textContent = data.mb(row[i + 1] * MB);
		});
	}

	/* The row of a peak between two ticks has its RSS only: the rest is measured at ticks. */
	function showPeak(rows) {
		const at = rows.findIndex((r) => r[0] >= facts.peak_time_s - 0.002);
		if (at < 0 || !isNumber(facts.peak_time_s))
			return show(null, 'move over the chart for values');
		const row = [...rows[at]];
		row[1] = facts.peak_bytes / MB;
		const rest = list.some((s, i) => s.on && s.has && !isNumber(row[i + 1]));
		return show(row, `at the peak, ${data.seconds(facts.peak_time_s)}` +
			(rest ? ', between two ticks; move over the chart for other moments' : ''));
	}

	function measured(s) {
		return data.run.rows.some((row) => isNumber(row[column[s.column]]));
	}

	function buildSwitches() {
		const box = document.getElementById('series');
		caption = data.element('p', 'caption');
		box.append(caption);
		list.forEach((s, i) => {
			const label = data.element('label', `switch series-${i}`);
			const input = data.element('input');
			s.has = measured(s);
			input.type = 'checkbox';
			input.checked = s.on && s.has;
			input.disabled = !s.has;
			input.addEventListener('change',
					       () => graph.setVisibility(i, input.checked));
			s.value = data.element('output', 'value', s.has ? '' : 'not measured');
			label.title = s.hint || '';
			label.classList.toggle('off', !s.has);
			label.append(input, data.element('span', 'name', s.name), s.value);
			box.append(label);
		});
	}

	function theme() {
		return {
			colors: list.map((s, i) => css(`--series-${i}`)),
			axisLineColor: css('--axis'),
			gridLineColor: css('--grid'),
		};
	}

	function looks(s) {
		return {
			fillGraph: !!s.fill,
			strokePattern: s.dash || null,
			strokeWidth: s.width || 1.5,
			drawPoints: !!s.points,
			pointSize: 2.5,
		};
	}

	function options(rows) {
		return {
			...theme(),
			labels: ['Seconds', ...list.map((s) => s.name)],
			visibility: list.map((s) => s.on && s.has),
			series: Object.fromEntries(list.map((s) => [s.name, looks(s)])),
			fillAlpha: 0.14,
			connectSeparatedPoints: true,
			includeZero: true,
			legend: 'never',
			rightGap: 14,
			xlabel: 'Seconds since task start',
			ylabel: 'Task Process Megabytes (MB)',
			xLabelHeight: 20,
			yLabelWidth: 22,
			highlightCircleSize: 3.5,
			axes: {
				x: {
					axisLabelFormatter: tickLabel,
					drawGrid: false,
					axisLabelWidth: 64,
					pixelsPerLabel: 70
				},
				y: {
					axisLabelFormatter: tickLabel,
					axisLabelWidth: 58,
					pixelsPerLabel: 44
				},
			},
			underlayCallback: underlay,
			drawCallback: (g) => {
				if (flag)
					placeFlag(g);
				document.getElementById('reset').hidden = !g.isZoomed();
				document.getElementById('to-profile').hidden =
					!g.isZoomed() || !profileview.has();
			},
			highlightCallback: (event, x) =>
				show(rows.find((r) => r[0] === x), `at ${data.seconds(x)}`),
			unhighlightCallback: () => showPeak(rows),
		};
	}

	function tickLabel(v) {
		const rounded = Number(v.toPrecision(10));
		return rounded.toLocaleString('en-US', {maximumFractionDigits: 6});
	}

	function buildFlag() {
		if (!isNumber(facts.peak_bytes) || !isNumber(facts.peak_time_s))
			return;
		flag = data.element('div', 'peak-flag');
		flag.append(data.element(
			'span', 'peak-text',
			`peak ${data.mb(facts.peak_bytes)} at ${data.seconds(facts.peak_time_s)}`));
		plot.append(flag);
		placeFlag(graph);
	}

	/* The window as a range of the profile, in its tab. */
	function toProfile() {
		const [from, to] = graph.xAxisRange();
		document.getElementById('tab-profile').click();
		profileview.choose(from, to);
	}

	function build() {
		if (!data.run.rows.length) {
			plot.append(
				data.element('p', 'nothing', 'RSS was not measured in this run.'));
			document.getElementById('hint').hidden = true;
			return;
		}
		/* its measuring span wants a style attribute, which the policy forbids; values
		 * stand at the switches */
		Dygraph.PLUGINS = Dygraph.PLUGINS.filter((p) => p !== Dygraph.Plugins.Legend);
		const rows = points();
		buildSwitches();
		graph = new Dygraph(plot, rows, options(rows));
		buildFlag();
		showPeak(rows);
		document.getElementById('reset').addEventListener('click', () => graph.resetZoom());
		document.getElementById('to-profile').addEventListener('click', toProfile);
		matchMedia('(prefers-color-scheme: dark)')
			.addEventListener('change', () => graph.updateOptions(theme()));
	}

	/* Shades the life of a process; null ends it. */
	function highlight(from, to) {
		span = from === null ? null : [from, to];
		if (graph)
			graph.updateOptions({});
	}

	/* A window that changed its size while the chart was hidden left it without one. */
	function resize() {
		if (graph)
			graph.resize();
	}

	return {build, highlight, resize};
})();
