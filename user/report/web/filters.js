/* filters.js - which threads and causes count: a choice of threads, a chip for each cause with its share. */
const filters = (() => {
	const {element} = data;
	const THREADS_MAX = 400;

	/* filter: of profile.wanted(), changed in place
	 * units: {label, amount(marks): text, update(), follows: threads are told anew with every change} */
	function make(model, filter, units) {
		const select = element('select');
		let chips = [], options = [];

		const threadText = (i, sums) => `${model.threadName(i)}  ${units.amount(sums.byThread[i])}`;

		/* value: "" all, "p0" a process, "t3" a thread */
		function whoSelect() {
			const sums = model.shares({...filter, thread: -1, process: -1});
			const byProcess = new Map();
			const option = (value, text) => {
				const o = element('option', '', text);
				o.value = value;
				return o;
			};
			select.setAttribute('aria-label', 'Process or thread');
			select.append(option('', `All threads (${data.count(model.p.threads.length)})`));
			const order = model.p.threads.map((t, i) => i).sort((a, b) => sums.byThread[b] - sums.byThread[a]);
			for (const i of order.slice(0, THREADS_MAX)) {
				const of = model.p.threads[i].process;
				if (!byProcess.has(of)) {
					const group = element('optgroup');
					group.label = data.visible(model.p.processes[of].name);
					group.append(option(`p${of}`, `${model.p.processes[of].name}: all threads`));
					byProcess.set(of, group);
					select.append(group);
				}
				const made = option(`t${i}`, threadText(i, sums));
				byProcess.get(of).append(made);
				options.push([i, made]);
			}
			if (order.length > THREADS_MAX) {
				const rest = option('', `${data.count(order.length - THREADS_MAX)} smaller threads: split by thread`);
				rest.disabled = true;
				select.append(rest);
			}
			select.addEventListener('change', () => setWho(select.value));
			return select;
		}

		function setWho(value) {
			select.value = value;
			filter.process = value[0] === 'p' ? Number(value.slice(1)) : -1;
			filter.thread = value[0] === 't' ? Number(value.slice(1)) : -1;
			units.update();
		}

		function causeChips() {
			const box = element('div', 'chips');
			box.setAttribute('role', 'group');
			box.setAttribute('aria-label', units.label);
			const total = model.shares(filter).byCause;
			const order = model.p.causes.map((c, i) => i)
				.sort((a, b) => model.p.running[b] - model.p.running[a] || total[b] - total[a]);
			chips = order.map((i) => {
				const label = element('label', 'chip'), input = element('input'), share = element('span', 'percent');
				const swatch = element('span', 'swatch'), only = callview.button('only', (event) => {
					event.preventDefault();
					const alone = filter.causes.every((on, j) => !!on === (j === i));
					filter.causes.fill(alone ? 1 : 0);
					filter.causes[i] = 1;
					units.update();
				}, 'only this; again: all');
				input.type = 'checkbox';
				input.addEventListener('change', () => {
					filter.causes[i] = input.checked ? 1 : 0;
					units.update();
				});
				label.append(input, swatch, element('span', 'name', model.p.causes[i].name), share, only);
				box.append(label);
				return {i, input, swatch, share, label};
			});
			return box;
		}

		function fillChips() {
			const sums = model.shares(filter), {byCause} = sums, all = byCause.reduce((a, b) => a + b, 0);
			if (units.follows)
				for (const [i, made] of options)
					made.textContent = data.visible(threadText(i, sums));
			for (const c of chips) {
				c.input.checked = !!filter.causes[c.i];
				c.swatch.style.background = colours.cause(model, c.i);
				c.share.textContent = data.percent(all ? byCause[c.i] / all : 0);
				c.label.classList.toggle('off', !filter.causes[c.i]);
			}
		}

		const field = element('label', 'field', 'Threads');
		field.append(whoSelect());
		return {field, chips: causeChips(), setWho, fill: fillChips};
	}

	return {make};
})();
