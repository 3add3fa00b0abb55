/* toptable.js - functions by what they weigh, sortable; a click searches for one. */
const toptable = (() => {
	const ROWS_MAX = 300;

	/* units: {label; numbers: [{title, key of the sums, text(value), plain: no share}], sorted: a key} */
	function make(model, box, units, on) {
		const {element} = data;
		const columns = [...units.numbers, {title: 'Function', key: 'name'}, {title: 'Where', key: 'place'}];
		let sums = null, sorted = units.numbers[0].key, text = '';

		const textOf = {
			name: (f) => model.p.names[f],
			place: (f) => model.placeOf(model.FUNCTION, f)
		};

		function order(a, b) {
			if (textOf[sorted])
				return textOf[sorted](a).localeCompare(textOf[sorted](b)) || a - b;
			return sums[sorted][b] - sums[sorted][a] || sums.total[b] - sums.total[a] || a - b;
		}

		function amount(f, {key, text: show, plain}) {
			const td = element('td', 'number'), share = element('span', 'bar');
			if (plain) {
				td.append(element('span', 'amount', show(sums[key][f])));
				return td;
			}
			const ratio = sums.all ? sums[key][f] / sums.all : 0, fill = element('span', 'fill');
			fill.style.width = `${Math.min(100, 100 * ratio)}%`;
			share.append(fill);
			td.append(element('span', 'amount', show(sums[key][f])),
				  element('span', 'percent', data.percent(ratio)), share);
			return td;
		}

		function row(f) {
			const tr = element('tr'), name = element('td', 'call');
			const button = element('button', 'link name', model.p.names[f]);
			const swatch = element('span', 'swatch');
			swatch.style.background = colours.of(model, model.FUNCTION, f);
			button.type = 'button';
			button.title = data.visible(`search for ${model.p.names[f]}`);
			button.addEventListener('click', () => on.search(model.p.names[f]));
			name.append(swatch, button);
			tr.append(...units.numbers.map((column) => amount(f, column)), name,
				  element('td', 'place', textOf.place(f)));
			return tr;
		}

		function head() {
			const thead = element('thead'), tr = element('tr');
			for (const c of columns) {
				const th = element('th', textOf[c.key] ? '' : 'number');
				const button = element('button', '', c.title);
				button.type = 'button';
				th.scope = 'col';
				th.setAttribute('aria-sort', c.key !== sorted ? 'none' :
					textOf[c.key] ? 'ascending' : 'descending');
				button.addEventListener('click', () => {
					sorted = c.key;
					fill();
				});
				th.append(button);
				tr.append(th);
			}
			thead.append(tr);
			return thead;
		}

		function fill() {
			const found = [], table = element('table', 'functions'), body = element('tbody');
			for (let f = 0; f < model.p.names.length; f++)
				if ((sums.total[f] > 0 || sums.cpu[f] > 0) && (!text || model.p.names[f].toLowerCase().includes(text)))
					found.push(f);
			found.sort(order);
			body.append(...found.slice(0, ROWS_MAX).map(row));
			table.append(head(), body);
			table.setAttribute('aria-label', units.label);
			box.replaceChildren(table);
			if (found.length > ROWS_MAX)
				box.append(element('p', 'hint', `the first ${data.count(ROWS_MAX)} of ` +
					`${data.count(found.length)} functions; search narrows them`));
		}

		function show(next, wanted) {
			sums = next;
			text = wanted.toLowerCase();
			fill();
		}

		return {show};
	}

	return {make};
})();
