/* quality.js - what the numbers rest on: ledger, limits, the observer's cost, the files. */
const quality = (() => {
	const {facts, manifest, element} = data;
	const box = document.getElementById('quality');

	function part(title, ...children) {
		const section = element('div', 'part');
		section.append(element('h3', '', title), ...children);
		box.append(section);
	}

	function counters(object) {
		const dl = element('dl', 'counters');
		for (const [name, n] of Object.entries(object || {})) {
			dl.append(element('dt', n ? 'nonzero' : '', name),
				  element('dd', n ? 'nonzero' : '', data.count(n)));
		}
		return dl;
	}

	function ledger() {
		const details = element('details'), sum = manifest.ledger || {};
		details.append(element('summary', '', 'every counter'),
			       counters({offered: sum.offered, recorded: sum.recorded}),
			       counters(sum.lost), counters(sum.notes));
		part('Records', element('p', `verdict ${facts.verdict}`, facts.ledger), details);
	}

	function limits() {
		const ul = element('ul', 'limits');
		if (!facts.conditions.length)
			return part('Limits', element('p', '', 'none'));
		ul.append(...facts.conditions.map((text) => element('li', '', text)));
		return part('Limits', ul);
	}

	function artifacts() {
		const ul = element('ul', 'artifacts');
		const files = data.objects(manifest.artifacts).map((a) => {
			const li = element('li');
			const digest = element('code', 'digest', a.sha256 || '');
			digest.title = data.visible(`sha256 ${a.sha256 || ''}`);
			li.append(element('span', 'file', a.name || '?'),
				  element('span', 'bytes', `${data.count(a.bytes)} B`), digest);
			return li;
		});
		if (!files.length)
			return;
		ul.append(...files);
		part('Artifacts, with sha256', ul);
	}

	function build() {
		ledger();
		limits();
		part('Cost of the observation', element('p', '', facts.observer));
		artifacts();
	}

	return {build};
})();
