/* timeline.js - the strip of time: what the threads did in every moment, stacked by cause, under the
 * curve of RSS. A range of it is chosen by dragging, or with the arrow keys. */
const timeline = (() => {
	const TOP = 8, BOTTOM = 20;

	const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

	/* Seconds along the bottom, from 0 to @end. */
	function axis(context, width, height, end) {
		const wanted = end / Math.max(2, width / 110), power = 10 ** Math.floor(Math.log10(wanted));
		const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= wanted);
		context.fillStyle = css('--muted');
		context.font = '11px system-ui, sans-serif';
		context.textBaseline = 'bottom';
		for (let s = 0; s <= end * 1.0001; s += step) {
			const x = s / end * width, label = `${Number(s.toPrecision(6))} s`;
			const w = context.measureText(label).width;
			context.fillText(label, Math.min(width - w, Math.max(0, x - w / 2)), height - 2);
			context.fillRect(Math.min(width - 1, x), height - BOTTOM, 1, 4);
		}
	}

	/* @points: [seconds, bytes], NaN bytes break the line; @most: bytes at the top. */
	function curve(context, width, height, end, points, most, colour) {
		const room = height - TOP - BOTTOM;
		let pen = false;
		context.strokeStyle = colour;
		context.lineWidth = 1.6;
		context.beginPath();
		for (const [time, bytes] of points) {
			const x = time / end * width, y = height - BOTTOM - bytes / most * room;
			if (!data.isNumber(bytes))
				pen = false;
			else if (pen)
				context.lineTo(x, y);
			else
				context.moveTo(x, y);
			pen = data.isNumber(bytes);
		}
		context.stroke();
	}

	/* RSS as curve() wants it. */
	function rss() {
		const t = data.column.time_s, r = data.column.rss_bytes, points = [];
		for (const row of data.run.rows) {
			const bytes = data.isNumber(row[r]) ? row[r] : row[data.column.rss_peak_bytes];
			if (row[0] === 'gap')
				points.push([row[t], NaN]);
			if (data.isNumber(bytes))
				points.push([row[t], bytes]);
		}
		return points;
	}

	/* on(from, to): a range in slices; to is exclusive. */
	function make(p, canvas, on) {
		const context = canvas.getContext('2d');
		const end = Math.max(data.facts.duration_s || 0, p.slices * p.sliceSeconds);
		const slices = Math.max(1, Math.ceil(end / p.sliceSeconds - 1e-9));
		const scheme = matchMedia('(prefers-color-scheme: dark)');
		let bins = 1, marks = null, filter = null, from = 0, to = slices, anchor = null, cursor = 0;
		let width = 0, height = 0;

		const xOf = (slice) => slice / slices * width;
		const sliceAt = (x) => Math.max(0, Math.min(slices, x / width * slices));

		/* An odd step at the end is as wide as the rest: whole slices only. */
		function choose(a, b) {
			from = Math.max(0, Math.floor(Math.min(a, b)));
			to = Math.min(slices, Math.max(from + 1, Math.ceil(Math.max(a, b))));
			from = Math.min(from, to - 1);
			draw();
			on(from, to);
		}

		function all() {
			from = 0;
			to = slices;
			draw();
			on(from, to);
		}

		function drawMarks() {
			const causes = p.causes.length, room = height - TOP - BOTTOM;
			const used = Math.max(1, Math.min(bins, Math.ceil(bins * p.slices / slices)));
			const order = p.causes.map((c, i) => i).sort((a, b) => p.running[b] - p.running[a]);
			let most = 0;
			for (let b = 0; b < used; b++) {
				let sum = 0;
				for (let c = 0; c < causes; c++)
					sum += marks[b * causes + c];
				most = Math.max(most, sum);
			}
			const step = p.slices / slices * width / bins, ratio = devicePixelRatio || 1;
			for (let b = 0; b < bins; b++) {
				let y = height - BOTTOM;
				for (const c of order) {
					const h = marks[b * causes + c] / (most || 1) * room;
					if (!h)
						continue;
					context.fillStyle = colours.cause(profile, c);
					const x = Math.round(b * step * ratio) / ratio;
					const right = Math.round((b + 1) * step * ratio) / ratio;
					context.fillRect(x, y - h, right - x, h);
					y -= h;
				}
			}
		}

		function drawRange() {
			const left = xOf(from), right = xOf(to), floor = height - BOTTOM;
			if (from <= 0 && to >= slices)
				return;
			context.fillStyle = css('--veil');
			context.fillRect(0, 0, left, floor);
			context.fillRect(right, 0, width - right, floor);
			context.fillStyle = css('--accent');
			context.fillRect(left - 1, 0, 2, floor);
			context.fillRect(right - 1, 0, 2, floor);
		}

		function draw() {
			const ratio = devicePixelRatio || 1;
			if (!width || !marks)
				return;
			context.setTransform(ratio, 0, 0, ratio, 0, 0);
			context.clearRect(0, 0, width, height);
			drawMarks();
			if (data.facts.peak_bytes > 0)
				curve(context, width, height, end, rss(), data.facts.peak_bytes, css('--rss'));
			drawRange();
			axis(context, width, height, end);
			if (document.activeElement === canvas && anchor === null) {
				context.fillStyle = css('--text');
				context.fillRect(xOf(cursor) - 0.5, 0, 1, height - BOTTOM);
			}
		}

		function resize() {
			const ratio = devicePixelRatio || 1, area = canvas.parentElement;
			width = area.clientWidth;
			height = area.clientHeight;
			canvas.width = Math.round(width * ratio);
			canvas.height = Math.round(height * ratio);
			if (filter && width)
				show(filter);
		}

		function show(next) {
			filter = next;
			bins = Math.max(1, Math.min(p.slices, Math.floor(width / 2)));
			marks = profile.overTime(filter, bins);
			draw();
		}

		const at = (event) => sliceAt(event.clientX - canvas.getBoundingClientRect().left);

		function key(event) {
			const step = event.ctrlKey ? 1 : Math.max(1, Math.round(slices / 50));
			const moves = {ArrowLeft: -step, ArrowRight: step, Home: -slices, End: slices};
			if (event.key === 'Escape') {
				all();
			} else if (event.key in moves) {
				const before = cursor;
				cursor = Math.max(0, Math.min(slices, cursor + moves[event.key]));
				if (event.shiftKey) {
					/* the end that the cursor stands at goes with it */
					const whole = from <= 0 && to >= slices;
					const other = whole ? before : before === from ? to : from;
					if (cursor !== other)
						choose(other, cursor);
				}
				draw();
			} else {
				return;
			}
			event.preventDefault();
		}

		canvas.addEventListener('pointerdown', (event) => {
			anchor = at(event);
			canvas.setPointerCapture(event.pointerId);
		});
		canvas.addEventListener('pointermove', (event) => {
			if (anchor !== null && Math.abs(xOf(at(event)) - xOf(anchor)) > 3)
				choose(anchor, at(event));
		});
		canvas.addEventListener('pointerup', (event) => {
			if (anchor !== null && Math.abs(xOf(at(event)) - xOf(anchor)) <= 3)
				all();
			cursor = to;
			anchor = null;
		});
		canvas.addEventListener('keydown', key);
		canvas.addEventListener('focus', draw);
		canvas.addEventListener('blur', draw);
		scheme.addEventListener('change', () => requestAnimationFrame(draw));
		new ResizeObserver(resize).observe(canvas.parentElement);

		return {
			show, all,
			choose: (a, b) => choose(a / p.sliceSeconds, b / p.sliceSeconds),
			range: () => [from * p.sliceSeconds, Math.min(end, to * p.sliceSeconds)],
			whole: () => from <= 0 && to >= slices,
			slices
		};
	}

	return {make, axis, curve, rss, css};
})();
