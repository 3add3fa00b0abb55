'use strict';
/* data.js - the run that the page holds: parsed once; numbers and hostile names fit to show. */
const data = (() => {
	const run = JSON.parse(document.getElementById('run').textContent);
	const column = Object.fromEntries(run.columns.map((name, i) => [name, i]));
	const memory = (run.manifest.diagnostics || {}).memory || {};
	const isNumber = (v) => typeof v === 'number' && Number.isFinite(v);

	/* What controls, hides or reorders text is shown as its code: a name must not act on its
	 * surroundings. */
	const hostile = new RegExp(
		'[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160' +
			'\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e' +
			'\\u2060-\\u206f\\u3164\\ud800-\\uf8ff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb' +
			'\\ufffe\\uffff\\u{e0000}-\\u{10ffff}]',
		'gu');
	const short = {'\n': '\\n', '\t': '\\t', '\r': '\\r'};

	function visible(text) {
		return String(text).replace(
			hostile,
			(c) => short[c] || '\\u' + c.codePointAt(0).toString(16).padStart(4, '0'));
	}

	function grouped(v, decimals) {
		return v.toLocaleString(
			'en-US',
			{minimumFractionDigits: decimals, maximumFractionDigits: decimals});
	}

	function mb(bytes) {
		if (!isNumber(bytes))
			return '–';
		const v = bytes / 1048576;
		return grouped(v, v !== 0 && Math.abs(v) < 0.095 ? 3 : 1) + ' MB';
	}

	function count(v) {
		return isNumber(v) ? grouped(v, 0) : '–';
	}

	function percent(ratio) {
		return isNumber(ratio) ? grouped(100 * ratio, 1) + ' %' : '–';
	}

	/* As fact_seconds() of facts.h. */
	function seconds(s) {
		if (!isNumber(s))
			return '–';
		const size = Math.abs(s);
		if (size < 599.5 || s < 0)
			return grouped(s, size < 0.9995 ? 3 : size < 99.995 ? 2 : 1) + ' s';
		const whole = Math.round(s), part = (n) => Math.floor(whole / n);
		if (whole < 7200)
			return `${part(60)} min ${whole % 60} s`;
		if (whole < 172800)
			return `${part(3600)} h ${part(60) % 60} min`;
		return `${grouped(part(86400), 0)} d ${part(3600) % 24} h`;
	}

	/* A manifest may be damaged: what should be a list of objects is one. */
	function objects(v) {
		return Array.isArray(v) ? v.map((o) => ({...o})) : [];
	}

	/* The only way that text enters the page. */
	function element(tag, className, text) {
		const e = document.createElement(tag);
		if (className)
			e.className = className;
		if (text !== undefined)
			e.textContent = visible(text);
		return e;
	}

	return {
		run,
		facts: run.facts,
		manifest: run.manifest,
		task: run.manifest.task || {},
		memory,
		hasProfile: !!document.getElementById('profile'),
		/* a run that was to do something else only has nothing to say about memory */
		hasMemory: !document.querySelector('#profile, #allocations, #resident, #allocations-problem') ||
			!!(run.manifest.diagnostics || {}).memory,
		column,
		isNumber,
		visible,
		mb,
		count,
		percent,
		seconds,
		objects,
		element,
	};
})();
