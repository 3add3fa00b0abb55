/* payload.c - run → JSON for the page (see payload.h). Own writer: jansson's neither escapes for
 * <script> nor accepts strings that are not UTF-8. */
#include "report/payload.h"

#include <errno.h>
#include <math.h>

#include "lib/cleanup.h"
#include "lib/escape.h"
#include "report/facts.h"
#include "report/profile_facts.h"

static void put_number(FILE *out, double v)
{
	if (isnan(v))
		fputs("null", out);
	else if (v == floor(v) && fabs(v) < 1e15)
		fprintf(out, "%.0f", v);
	else
		fprintf(out, "%.15g", v);
}

static void put_json(FILE *out, const json_t *value);

static void put_object(FILE *out, const json_t *object)
{
	const char *key, *separator = "";
	json_t *value;

	fputc('{', out);
	json_object_foreach((json_t *)object, key, value)
	{
		fputs(separator, out);
		escape_json(out, key);
		fputc(':', out);
		put_json(out, value);
		separator = ",";
	}
	fputc('}', out);
}

static void put_array(FILE *out, const json_t *array)
{
	json_t *value;
	size_t i;

	fputc('[', out);
	json_array_foreach(array, i, value)
	{
		if (i)
			fputc(',', out);
		put_json(out, value);
	}
	fputc(']', out);
}

/* Depth is bounded by jansson's parser. */
static void put_json(FILE *out, const json_t *value)
{
	if (json_is_object(value))
		put_object(out, value);
	else if (json_is_array(value))
		put_array(out, value);
	else if (json_is_string(value))
		escape_json(out, json_string_value(value));
	else if (json_is_integer(value))
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		put_number(out, json_real_value(value));
	else
		fputs(json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null", out);
}

/* Takes @text; -ENOMEM when it is NULL. */
static int put_fact(FILE *out, const char *key, char *text)
{
	_cleanup_free_ char *owned = text;

	if (!owned)
		return -ENOMEM;
	fprintf(out, "\"%s\":", key);
	escape_json(out, owned);
	fputc(',', out);
	return 0;
}

static int put_facts(FILE *out, const struct run *r)
{
	static const char *const verdicts[] = {
		[FACT_COMPLETE] = "complete",
		[FACT_LOSSES] = "losses",
		[FACT_UNKNOWN] = "unknown",
	};
	json_t *conditions = fact_conditions(r);
	double peak_bytes = NAN, peak_time_s = NAN;
	enum fact_verdict verdict;
	int err;

	if (!conditions)
		return -ENOMEM;
	fact_peak(r, &peak_bytes, &peak_time_s);
	fputc('{', out);
	err = put_fact(out, "command", fact_command(r));
	if (!err)
		err = put_fact(out, "end", fact_end(run_get(r, "task")));
	if (!err)
		err = put_fact(out, "observer", fact_observer(r));
	if (!err)
		err = put_fact(out, "ledger", fact_ledger(r, &verdict));
	if (!err && r->profile)
		err = put_fact(out, "profile", fact_profile_time(r));
	if (!err && r->profile)
		err = put_fact(out, "sampling", fact_profile_sampling(r));
	if (!err) {
		fprintf(out, "\"verdict\":\"%s\",\"duration_s\":", verdicts[verdict]);
		put_number(out, fact_duration(r));
		fputs(",\"peak_bytes\":", out);
		put_number(out, peak_bytes);
		fputs(",\"peak_time_s\":", out);
		put_number(out, peak_time_s);
		fputs(",\"conditions\":", out);
		put_array(out, conditions);
		fputc('}', out);
	}
	json_decref(conditions);
	return err;
}

static int put_ends(FILE *out, const struct run *r)
{
	json_t *process;
	size_t i;

	fputc('[', out);
	json_array_foreach(run_get(r, "diagnostics.memory.processes"), i, process)
	{
		_cleanup_free_ char *end = fact_end(process);

		if (!end)
			return -ENOMEM;
		if (i)
			fputc(',', out);
		escape_json(out, end);
	}
	fputc(']', out);
	return 0;
}

static void put_rows(FILE *out, const struct run *r)
{
	static const char *const events[] = {
		[RUN_TICK] = "tick",
		[RUN_PEAK] = "peak",
		[RUN_GAP] = "gap",
		[RUN_MERGED] = "merged",
	};

	fputs("\"columns\":[\"event\"", out);
	for (int c = 0; c < RUN_COLUMNS; c++)
		fprintf(out, ",\"%s\"", run_column_names[c]);
	fputs("],\n\"rows\":[", out);
	for (size_t i = 0; i < r->n_rows; i++) {
		fprintf(out, "%s[\"%s\"", i ? ",\n" : "", events[r->rows[i].event]);
		for (int c = 0; c < RUN_COLUMNS; c++) {
			fputc(',', out);
			put_number(out, r->rows[i].v[c]);
		}
		fputc(']', out);
	}
	fputc(']', out);
}

int payload_write(const struct run *r, FILE *out)
{
	int err;

	fputs("{\"facts\":", out);
	err = put_facts(out, r);
	if (err)
		return err;
	fputs(",\n\"ends\":", out);
	err = put_ends(out, r);
	if (err)
		return err;
	fputs(",\n\"manifest\":", out);
	put_json(out, r->manifest);
	fputs(",\n", out);
	put_rows(out, r);
	fputs("}\n", out);
	return 0;
}
