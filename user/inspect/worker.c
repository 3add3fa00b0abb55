/* worker.c - serves requests; see worker.h and protocol.h */
#include "inspect/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inspect/allocators.h"
#include "inspect/elf_file.h"
#include "inspect/names.h"
#include "inspect/protocol.h"
#include "inspect/python.h"
#include "lib/cleanup.h"

/* A request with its fds in the order in which they came; -1: not there. */
struct job {
	struct request request;
	int fds[PROTOCOL_FDS_MAX];
	int file, answer, debug, addresses;
	uint64_t written;		 /* to the answer */
	const char *cause;		 /* when it fails */
	char text[PROTOCOL_CAUSE_BYTES]; /* room for it */
};

static int job_write(struct job *j, const void *bytes, size_t size)
{
	const char *from = bytes;

	if (size > INSPECT_BYTES_MAX - j->written) {
		j->cause = "the answer is larger than 256 MiB";
		return -EFBIG;
	}
	while (size) {
		ssize_t n = pwrite(j->answer, from, size, j->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			j->cause = "the answer could not be written";
			return n < 0 ? -errno : -EIO;
		}
		from += n;
		size -= n;
		j->written += n;
	}
	return 0;
}

static int job_read_addresses(struct job *j, uint64_t **ret)
{
	uint64_t count = j->request.count, size = count * sizeof(**ret), done = 0;
	_cleanup_free_ uint64_t *addresses = NULL;

	if (count > PROTOCOL_ADDRESSES_MAX || (count && j->addresses < 0)) {
		j->cause = "malformed request: addresses";
		return -EBADMSG;
	}
	addresses = malloc(size + 1);
	if (!addresses) {
		j->cause = "no memory";
		return -ENOMEM;
	}
	while (done < size) {
		ssize_t n = pread(j->addresses, (char *)addresses + done, size - done, done);

		if (n <= 0) {
			j->cause = "the addresses could not be read";
			return n < 0 ? -errno : -EIO;
		}
		done += n;
	}
	*ret = take_ptr(addresses);
	return 0;
}

static void fill_segments(const struct elf_file *f, struct rows_answer *answer)
{
	for (size_t i = 0; i < f->segment_count; i++) {
		const Elf64_Phdr *p = &f->segments[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
		    answer->segment_count == INSPECT_SEGMENTS_MAX)
			continue;
		answer->segments[answer->segment_count++] =
		    (struct inspect_segment){ .offset = p->p_offset,
					      .address = p->p_vaddr,
					      .file_bytes = p->p_filesz,
					      .memory_bytes = p->p_memsz };
	}
}

static int write_rows(struct job *j, struct elf_file *f)
{
	struct rows_answer answer = { .entry = f->entry };
	struct cfi_table t;
	bool debug_frame;
	int err = elf_file_rows(f, &t, &debug_frame);

	if (err)
		return err;
	answer.build_id_bytes = elf_file_build_id(f, answer.build_id);
	fill_segments(f, &answer);
	answer.first = t.first;
	answer.unsupported = t.unsupported;
	answer.row_count = t.row_count;
	answer.bucket_count = t.bucket_count;
	answer.debug_frame = debug_frame;
	err = job_write(j, &answer, sizeof(answer));
	if (!err)
		err = job_write(j, t.rows, t.row_count * sizeof(*t.rows));
	if (!err)
		err = job_write(j, t.buckets, t.bucket_count * sizeof(*t.buckets));
	cfi_free(&t);
	return err;
}

static int write_link(struct job *j, struct elf_file *f)
{
	struct link_answer answer = {};

	answer.build_id_bytes = elf_file_build_id(f, answer.build_id);
	elf_file_debug_link(f, answer.link);
	return job_write(j, &answer, sizeof(answer));
}

static int write_python(struct job *j, struct elf_file *f)
{
	struct python_answer answer = {};
	struct inspect_python p;
	int err = python_read(f, &p);

	if (err)
		return err;
	answer.version = p.version;
	answer.free_threaded = p.free_threaded;
	answer.musl = p.musl;
	answer.runtime = p.runtime;
	answer.runtime_bytes = p.runtime_bytes;
	answer.code_type = p.code_type;
	answer.eval_count = p.eval_count;
	for (uint32_t i = 0; i < p.eval_count; i++) {
		answer.eval[i].start = p.eval[i].start;
		answer.eval[i].end = p.eval[i].end;
	}
	answer.debug_bytes = p.debug_bytes;
	memcpy(answer.debug, p.debug, p.debug_bytes);
	return job_write(j, &answer, sizeof(answer));
}

static int write_allocators(struct job *j, struct elf_file *f)
{
	struct inspect_allocators answer;
	int err = allocators_read(f, &answer);

	return err ? err : job_write(j, &answer, sizeof(answer));
}

static int with_elf(struct job *j, int (*write)(struct job *j, struct elf_file *f))
{
	struct elf_file f;
	int err = elf_file_open(j->file, &f);

	if (!err)
		err = write(j, &f);
	if (err && !j->cause)
		j->cause = f.cause;
	elf_file_close(&f);
	return err;
}

static int job_rows(struct job *j)
{
	return with_elf(j, write_rows);
}

static int job_link(struct job *j)
{
	return with_elf(j, write_link);
}

static int job_python(struct job *j)
{
	return with_elf(j, write_python);
}

static int job_allocators(struct job *j)
{
	return with_elf(j, write_allocators);
}

static int with_names(struct job *j, bool perf_map)
{
	_cleanup_free_ uint64_t *addresses = NULL;
	struct names_answer answer = {};
	struct stat st;
	int err = job_read_addresses(j, &addresses);

	if (err)
		return err;
	if (fstat(j->file, &st) < 0 || !S_ISREG(st.st_mode)) {
		j->cause = "not a regular file";
		return -EINVAL;
	}
	if (perf_map)
		err = names_perf_map(j->file, addresses, j->request.count, &answer, &j->cause);
	else
		err = names_elf(j->file, j->debug, addresses, j->request.count, j->request.flags,
				&answer, &j->cause);
	if (!err)
		err = job_write(j, answer.bytes, answer.size);
	free(answer.bytes);
	return err;
}

static int job_names(struct job *j)
{
	return with_names(j, false);
}

static int job_perf_map(struct job *j)
{
	return with_names(j, true);
}

/* Takes the fds out of a message, in order. false: not as protocol.h says. */
static bool job_take_fds(struct job *j, struct msghdr *message)
{
	size_t count = 0, next = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count > PROTOCOL_FDS_MAX)
			count = PROTOCOL_FDS_MAX;
		memcpy(j->fds, CMSG_DATA(c), count * sizeof(int));
	}
	j->file = j->fds[next++];
	j->answer = j->fds[next++];
	j->debug = j->request.fds & REQUEST_HAS_DEBUG ? j->fds[next++] : -1;
	j->addresses = j->request.fds & REQUEST_HAS_ADDRESSES ? j->fds[next++] : -1;
	return count == next && !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
}

/* 1: a job; 0: the other end is closed; -errno. */
static int job_receive(int socket, struct job *j)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(j->fds))];
	} control;
	struct iovec part = { &j->request, sizeof(j->request) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t n;

	*j = (struct job){ .fds = { -1, -1, -1, -1 } };
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (!job_take_fds(j, &message) || n != sizeof(j->request))
		return -EBADMSG;
	return 1;
}

static int job_do(struct job *j)
{
	static int (*const kinds[REQUEST_KINDS])(struct job * j) = {
		[REQUEST_ROWS] = job_rows,	   [REQUEST_NAMES] = job_names,
		[REQUEST_PERF_MAP] = job_perf_map, [REQUEST_LINK] = job_link,
		[REQUEST_PYTHON] = job_python,	   [REQUEST_ALLOCATORS] = job_allocators,
	};

	if (j->request.kind >= REQUEST_KINDS) {
		j->cause = "malformed request: kind";
		return -EBADMSG;
	}
	return kinds[j->request.kind](j);
}

static bool is_worn(void)
{
	struct timespec t = {};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec >= WORKER_RETIRES_S;
}

static int job_reply(int socket, const struct job *j, int err, bool retires)
{
	struct reply reply = { .id = j->request.id, .bytes = j->written, .err = err };
	struct iovec part = { &reply, sizeof(reply) };
	const struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	reply.retires = retires;
	if (err)
		snprintf(reply.cause, sizeof(reply.cause), "%s", j->cause ? j->cause : "");
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void job_close(struct job *j)
{
	for (size_t i = 0; i < PROTOCOL_FDS_MAX; i++)
		if (j->fds[i] >= 0)
			close(j->fds[i]);
}

/* What the client has set up for itself is not for its worker. */
static void reset_process(void)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, ignored = { .sa_handler = SIG_IGN };
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &usual, NULL);
	sigaction(SIGXFSZ, &ignored, NULL); /* a write then says EFBIG */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ctrl-C is for the client, which then asks for the last names */
	setsid();
	unsetenv("DEBUGINFOD_URLS"); /* libdw would use the network */
}

void worker_main(int socket)
{
	bool worn = false;
	struct job j;
	int err;

	reset_process();
	err = sandbox_enter(socket);
	while (!worn && job_receive(socket, &j) > 0) {
		int result = err;

		if (err) /* says so; no file is touched */
			snprintf(j.text, sizeof(j.text),
				 "the worker cannot give up its privileges: %s", strerror(-err));
		if (err)
			j.cause = j.text;
		else
			result = job_do(&j);
		worn = is_worn();
		result = job_reply(socket, &j, result, worn);
		job_close(&j);
		if (result)
			break;
	}
	_exit(0);
}
