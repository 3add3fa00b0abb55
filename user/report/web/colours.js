/* colours.js - whose code a call is, and what a thread waits for: one colour everywhere on the page, in
 * the light and in the dark. */
const colours = (() => {
	const dark = matchMedia('(prefers-color-scheme: dark)');
	/* hue, saturation by what the kernel waits for; others take the next free hue */
	const known = {
		cpu: [26, 90], lock: [275, 45], futex: [275, 45], 'run queue': [350, 62], runqueue: [350, 62],
		'run-queue': [350, 62], sleep: [215, 14], disk: [95, 34], io: [95, 34], file: [95, 34],
		network: [168, 46], socket: [168, 46], poll: [232, 42], pipe: [188, 40], child: [60, 40],
		'page fault': [325, 48], fault: [325, 48], memory: [325, 48], unknown: [30, 8]
	};

	function cause({p}, id) {
		const name = p.causes[id].name.replace(/^\[|\]$/g, ''), night = dark.matches;
		const [hue, saturation] = (Object.hasOwn(known, name) && known[name]) ||
			[(id * 67 + 140) % 360, 38];
		return p.running[id] ? `hsl(${hue} ${night ? 62 : 92}% ${night ? 48 : 62}%)` :
			`hsl(${hue} ${Math.round(saturation * (night ? 0.7 : 1))}% ${night ? 42 : 76}%)`;
	}

	/* The middle of the colours that flame.js spreads. */
	function of(model, kind, id) {
		const night = dark.matches;
		if (kind === model.CAUSE)
			return cause(model, id);
		if (kind !== model.FUNCTION && kind !== model.GROUP)
			return night ? '#4a586a' : '#c3ccd7';
		return (night ? ['hsl(24 52% 46%)', 'hsl(52 50% 42%)', 'hsl(207 36% 45%)', 'hsl(352 38% 50%)',
				'hsl(82 30% 41%)'] :
			['hsl(26 92% 64%)', 'hsl(53 86% 56%)', 'hsl(206 62% 70%)', 'hsl(355 70% 72%)',
			 'hsl(80 46% 66%)'])[model.codeKind(kind, id)];
	}

	function legend(model) {
		const box = data.element('p', 'legend');
		model.kindNames.forEach((text, kind) => {
			if (!model.p.kinds.includes(kind))
				return;
			const swatch = data.element('span', 'swatch');
			swatch.style.background = of(model, model.FUNCTION, model.p.kinds.indexOf(kind));
			box.append(swatch, data.element('span', '', text));
		});
		return box;
	}

	return {cause, of, legend, dark};
})();
