'use strict';
/* flame_svg.js - inside of flamegraph.svg: a click zooms, "/" or Ctrl-F searches, Escape goes back.
 * Text enters by textContent only. */
(() => {
	const boxes = document.getElementById('boxes');
	const tools = document.getElementById('tools'), details = document.getElementById('details');
	const side = Number(boxes.dataset.side), width = Number(boxes.dataset.width);
	const letter = 6.7, told = details.textContent;
	const all = [...boxes.children].map((g) => {
		const [title, rect, text] = g.children;
		const number = (name) => Number(rect.getAttribute(name));
		return {
			g, rect, text, title: title.textContent, fill: rect.getAttribute('fill'),
			name: title.textContent.split('\n')[0].split('  ')[0],
			x: number('x'), y: number('y'), width: number('width')
		};
	});
	let zoomed = all[0], wanted = '';

	function label(box, x, w) {
		const n = Math.floor((w - 6) / letter), letters = [...box.name];
		box.text.textContent = n < 3 ? '' :
			letters.length > n ? letters.slice(0, n - 1).join('') + '…' : box.name;
		box.text.setAttribute('x', x + 3);
		box.text.setAttribute('y', box.y + 13);
	}

	/* What is above the zoomed box grows with it, what is below fills the line. */
	function zoom(to) {
		zoomed = to;
		for (const box of all) {
			const below = box.y > to.y;
			let x = (box.x - to.x) / to.width * width + side;
			let w = box.width / to.width * width;
			if (below && box.x <= to.x + 0.01 && box.x + box.width >= to.x + to.width - 0.01) {
				x = side;
				w = width;
			}
			const gone = x + w < side + 0.1 || x > side + width - 0.1 || w < 0.2 ||
				(below && w !== width);
			box.g.setAttribute('display', gone ? 'none' : 'inline');
			box.g.setAttribute('opacity', below ? 0.55 : 1);
			if (gone)
				continue;
			box.rect.setAttribute('x', x);
			box.rect.setAttribute('width', w);
			label(box, x, w);
		}
		tool();
	}

	/* Boxes inside of a box that matches count once. */
	function search(text) {
		let sum = 0;
		const ends = [];
		wanted = text.toLowerCase();
		for (const box of all) {
			const match = wanted && box.name.toLowerCase().includes(wanted);
			box.rect.setAttribute('fill', match ? '#e0359b' : box.fill);
			if (!match)
				continue;
			const inside = ends.some((o) => o.x <= box.x + 0.01 &&
				o.x + o.width >= box.x + box.width - 0.01);
			if (!inside) {
				ends.push(box);
				sum += box.width;
			}
		}
		tool(sum);
	}

	function tool(sum) {
		const parts = [];
		if (wanted && sum !== undefined)
			parts.push(`“${wanted}”: ${(100 * sum / width).toFixed(1)} %`);
		parts.push('/ search');
		if (zoomed !== all[0])
			parts.push('Esc: zoom out');
		tools.textContent = parts.join('   ');
	}

	for (const box of all) {
		box.g.addEventListener('click', () => zoom(box));
		box.g.addEventListener('mouseenter', () => {
			details.textContent = box.title.replace('\n', '   ');
			box.rect.setAttribute('stroke', '#1b222c');
		});
		box.g.addEventListener('mouseleave', () => {
			details.textContent = told;
			box.rect.removeAttribute('stroke');
		});
	}
	addEventListener('keydown', (event) => {
		if (event.key === 'Escape') {
			zoom(all[0]);
			search('');
		} else if (event.key === '/' || (event.key === 'f' && event.ctrlKey)) {
			event.preventDefault();
			const text = prompt('Search functions', wanted);
			if (text !== null)
				search(text);
		}
	});
	tool();
})();
