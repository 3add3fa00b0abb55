# taskdiag-bpf. `make help` lists the targets; V=1 shows the commands; WERROR=1 makes warnings errors.

VERSION   := 0.1.0
PREFIX    ?= /usr/local
DESTDIR   ?=
CC        ?= cc
CLANG     ?= $(shell command -v clang || command -v clang-14 || echo clang)
BPFTOOL   ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
CFLAGS    ?= -O2 -g
BUILD     := build
DYGRAPHS  ?= /usr/share/javascript/dygraphs

ifeq ($(shell uname -m),aarch64)
ARCH := arm64
else
ARCH := x86
endif
ifneq ($(V),1)
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
endif

WARNINGS := -Wall -Wextra $(if $(WERROR),-Werror)
CPPFLAGS += -D_GNU_SOURCE -DTASKDIAG_VERSION='"$(VERSION)"' -I. -Iuser -I$(BUILD)
COMPILE   = $(CC) -std=gnu17 $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LIBS     := -lbpf -linih -lelf -ldw -lz -llzma -liberty -lseccomp -ljansson -lmd -lmicrohttpd -lsqlite3 -lnettle -lm
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:%.bpf.c=$(BUILD)/%.bpf.o)
SKELETON    := $(BUILD)/taskdiag.skel.h
# the malloc shim is a library of its own, for the task: see user/preload/shim/preload.h
PRELOAD         := $(BUILD)/preload.so
PRELOAD_SOURCES := $(wildcard user/preload/shim/*.c)
PRELOAD_HEADERS := $(wildcard user/preload/*.h user/preload/shim/*.h)
SOURCES     := $(wildcard user/*.c user/*/*.c)
OBJECTS     := $(SOURCES:%.c=$(BUILD)/%.o)
TARGETS     := $(patsubst tests/targets/%.c,$(BUILD)/targets/%,$(wildcard tests/targets/*.c))
SHIM_TARGETS := $(addprefix $(BUILD)/targets/shim/,known pass forks signals corners bump.so plugins/shim_plugin.so) $(BUILD)/shim_observer
# one source, several ways to build it
VARIANTS := $(addprefix $(BUILD)/targets/profile_,static staticpie nocfi framepointer debugframe)
PLUGINS  := $(addprefix $(BUILD)/targets/profile_,plugin_a.so plugin_b.so plt.so) $(addprefix $(BUILD)/targets/heap_survival_from_,a.so b.so)
MUSL     := $(if $(shell command -v musl-gcc),$(BUILD)/targets/profile_musl)
NO_CFI   := -fno-asynchronous-unwind-tables -fno-unwind-tables
TARGETS  += $(VARIANTS) $(PLUGINS) $(MUSL) $(BUILD)/targets/profile_exceptions $(BUILD)/unwind_compare
UNIT_TESTS  := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))
# what runs without a kernel: all but the verbs and the session
PURE        := $(filter-out user/main.c user/cli/% user/session/% user/watch/%,$(SOURCES)) user/cli/options.c user/cli/memray_installed.c user/session/stream.c
PURE_OBJECTS := $(PURE:%.c=$(BUILD)/sanitized/%.o)
PROGRAM     := $(BUILD)/taskdiag-bpf
# readers of hostile input, for libFuzzer; see scripts/fuzz
FUZZERS     := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_OBJECTS := $(PURE:%.c=$(BUILD)/fuzz/obj/%.o)
FUZZ        := $(CLANG) -std=gnu17 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -DFUZZING

.PHONY: all check unit fuzz targets install uninstall deb clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAM) $(BUILD)/taskdiag-bpf.1 $(BUILD)/taskdiag-bpf.bash	## build everything (the default)

help:	## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) vmlinux/$(ARCH)/vmlinux.h
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) $(WARNINGS) -Wno-unused-parameter -Ivmlinux/$(ARCH) -Ibpf \
		-I/usr/include/$(shell uname -m)-linux-gnu -c $< -o $@

$(BUILD)/taskdiag.bpf.o: $(BPF_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(BUILD)/taskdiag.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name taskdiag_bpf > $@

$(addprefix $(BUILD)/user/session/,probes.o probes_heap.o probes_load.o probes_read.o probes_resident.o probes_stats.o probes_watch.o): $(SKELETON)

$(BUILD)/user/session/shim_image.o: $(PRELOAD)
$(BUILD)/user/session/shim_image.o: CPPFLAGS += -DSHIM_IMAGE='"$(PRELOAD)"'

$(BUILD)/user/serve/web_assets.o $(BUILD)/sanitized/user/serve/web_assets.o: $(wildcard user/serve/web/*)
$(BUILD)/user/serve/web_assets.o $(BUILD)/sanitized/user/serve/web_assets.o $(BUILD)/fuzz/obj/user/serve/web_assets.o: CPPFLAGS += -DSERVE_WEB_DIR='"user/serve/web"'

ASSETS := $(wildcard user/report/web/*) $(DYGRAPHS)/dygraph.min.js $(DYGRAPHS)/dygraph.min.css
$(BUILD)/user/report/assets.o $(BUILD)/sanitized/user/report/assets.o: $(ASSETS)
ASSET_FLAGS := -DDYGRAPH_JS='"$(DYGRAPHS)/dygraph.min.js"' -DDYGRAPH_CSS='"$(DYGRAPHS)/dygraph.min.css"' -DREPORT_WEB_DIR='"user/report/web"'
$(BUILD)/user/report/assets.o $(BUILD)/sanitized/user/report/assets.o: CPPFLAGS += $(ASSET_FLAGS)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -c $< -o $@

$(PROGRAM): $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@

# --help, the man page and the completion come from one table: the program itself writes them
$(BUILD)/taskdiag-bpf.1: $(PROGRAM)
	$(call say,MAN,$@)
	$(Q)$(PROGRAM) man > $@

$(BUILD)/taskdiag-bpf.bash: $(PROGRAM)
	$(call say,GEN,$@)
	$(Q)$(PROGRAM) completion > $@

$(BUILD)/sanitized/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) $(SANITIZE) -c $< -o $@

$(BUILD)/unit/%: tests/unit/%.c $(PURE_OBJECTS)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(COMPILE) $(SANITIZE) -MF $@.d $< $(PURE_OBJECTS) -lcmocka $(LIBS) -o $@

$(BUILD)/unit/preload_%: tests/unit/preload_%.c $(PRELOAD_SOURCES) $(PRELOAD_HEADERS)
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(COMPILE) $(SANITIZE) -MF $@.d $< -lcmocka -lm -o $@

# gcc: rbp stays the caller's (-ffixed-rbp); nothing of CFLAGS, which may ask for frame pointers
PRELOAD_CC    ?= gcc
PRELOAD_FLAGS := -std=gnu17 -O2 -g -fPIC -shared -fvisibility=hidden -ffixed-rbp -fomit-frame-pointer -fno-plt \
	-fno-stack-protector -fcf-protection=none $(addprefix -fno-builtin-,malloc calloc realloc free) \
	-Wl,-z,now,-z,defs,-z,separate-code,-soname,taskdiag-preload.so

$(PRELOAD): $(PRELOAD_SOURCES) $(PRELOAD_HEADERS) Makefile
	@mkdir -p $(@D)
	$(call say,SO,$@)
	$(Q)$(PRELOAD_CC) $(PRELOAD_FLAGS) $(WARNINGS) $(CPPFLAGS) $(PRELOAD_SOURCES) -o $@

$(BUILD)/shim_observer: $(wildcard tests/preload/*.[ch]) user/preload/region.h
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MF $@.d $(filter %.c,$^) -lm -o $@

# calls of malloc and free are what these are about: none is optimised away
$(BUILD)/targets/shim/%: CFLAGS += -fno-builtin -Wl,-rpath,'$$ORIGIN/plugins'
$(BUILD)/targets/heap_%: CFLAGS += -fno-builtin

$(BUILD)/targets/shim/bump.so: tests/targets/shim/bump.c
$(BUILD)/targets/shim/plugins/shim_plugin.so: tests/targets/shim/plugin.c
$(BUILD)/targets/shim/bump.so $(BUILD)/targets/shim/plugins/shim_plugin.so:
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -shared -fPIC -MF $@.d $(filter %.c,$^) -o $@

$(BUILD)/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ) $(CPPFLAGS) -MMD -MP -fsanitize=fuzzer-no-link -c $< -o $@

$(BUILD)/fuzz/obj/user/report/assets.o: CPPFLAGS += $(ASSET_FLAGS)

$(BUILD)/fuzz/%: tests/fuzz/%_fuzz.c $(FUZZ_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(FUZZ) $(CPPFLAGS) -fsanitize=fuzzer $< $(FUZZ_OBJECTS) $(LIBS) -o $@

$(BUILD)/targets/%: tests/targets/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -pthread -MF $@.d $< $(LDLIBS) -o $@

$(BUILD)/targets/heap_usdt: LDLIBS := -lm

$(BUILD)/targets/profile_static: HOW := -static
$(BUILD)/targets/profile_staticpie: HOW := -static-pie
$(BUILD)/targets/profile_debugframe: HOW := $(NO_CFI)
$(BUILD)/targets/profile_nocfi: HOW := -g0 $(NO_CFI) -fomit-frame-pointer
$(BUILD)/targets/profile_framepointer: HOW := -g0 $(NO_CFI) -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
$(VARIANTS): tests/targets/profile_burn.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -pthread $(HOW) -MF $@.d $< -o $@

$(MUSL): tests/targets/profile_burn.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)musl-gcc -std=gnu17 $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d $< -o $@

$(BUILD)/targets/profile_plugin_a.so: HOW := -DPLUGIN_A
$(BUILD)/targets/profile_plugin_b.so: HOW := -DPLUGIN_B
$(BUILD)/targets/profile_plt.so: HOW := -DPLUGIN -Wl,-z,lazy
$(BUILD)/targets/heap_survival_from_a.so: HOW := -DPLUGIN=from_a
$(BUILD)/targets/heap_survival_from_b.so: HOW := -DPLUGIN=from_b
$(BUILD)/targets/profile_plugin_a.so $(BUILD)/targets/profile_plugin_b.so: tests/targets/profile_dlopen.c
$(BUILD)/targets/profile_plt.so: tests/targets/profile_plt.c
$(BUILD)/targets/heap_survival_from_a.so $(BUILD)/targets/heap_survival_from_b.so: tests/targets/heap_survival_plugins.c
$(PLUGINS):
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -shared -fPIC $(HOW) -MF $@.d $(filter %.c,$^) -o $@

$(BUILD)/targets/%: tests/targets/%.cc
	@mkdir -p $(@D)
	$(call say,CXX,$@)
	$(Q)$(CXX) -std=gnu++17 $(WARNINGS) $(CFLAGS) -MMD -MP -MF $@.d $< -o $@

$(BUILD)/unwind_compare: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/oracle/*.c user/inspect/cfi*.c user/inspect/elf_*.c))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $^ -ldw -lelf -lz -o $@

$(BUILD)/make_profile: tests/consumers/make_profile.c $(PURE_OBJECTS)
	$(call say,CC,$@)
	$(Q)$(COMPILE) $(SANITIZE) -MF $@.d $< $(PURE_OBJECTS) $(LIBS) -o $@

$(BUILD)/make_allocations: tests/consumers/make_allocations.c $(PURE_OBJECTS)
	$(call say,CC,$@)
	$(Q)$(COMPILE) $(SANITIZE) -MF $@.d $< $(PURE_OBJECTS) $(LIBS) -o $@

$(BUILD)/empty.bpf.o: tests/bpf/empty.bpf.c vmlinux/$(ARCH)/vmlinux.h
	$(call say,BPF,$@)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 $(WARNINGS) -Wno-unused-parameter -Ivmlinux/$(ARCH) \
		-I/usr/include/$(shell uname -m)-linux-gnu -c $< -o $@

$(BUILD)/page_cost: tests/bpf/page_cost.c $(SKELETON) $(BUILD)/empty.bpf.o
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MF $@.d $< -lbpf -lelf -lz -o $@

$(BUILD)/uprobe_walk.bpf.o: tests/bpf/uprobe_walk.bpf.c tests/bpf/uprobe_walk.h $(wildcard bpf/*.h) vmlinux/$(ARCH)/vmlinux.h
	$(call say,BPF,$@)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) $(WARNINGS) -Wno-unused-parameter -Ivmlinux/$(ARCH) -Ibpf \
		-I/usr/include/$(shell uname -m)-linux-gnu -c $< -o $@

$(BUILD)/uprobe_walk.skel.h: $(BUILD)/uprobe_walk.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name uprobe_walk_bpf > $@

$(BUILD)/uprobe_walk: tests/bpf/uprobe_walk.c $(BUILD)/uprobe_walk.skel.h $(PURE:%.c=$(BUILD)/%.o)
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MF $@.d $< $(filter %.o,$^) $(LIBS) -o $@

$(BUILD)/verified: tests/bpf/verified.c $(SKELETON) $(patsubst %.c,$(BUILD)/%.o,$(filter-out user/main.c user/cli/%,$(SOURCES)))
	$(call say,CC,$@)
	$(Q)$(COMPILE) -MF $@.d $< $(filter %.o,$^) $(LIBS) -o $@

targets: $(TARGETS) $(PRELOAD) $(SHIM_TARGETS) $(BUILD)/page_cost $(BUILD)/verified $(BUILD)/uprobe_walk $(BUILD)/make_profile $(BUILD)/make_allocations	## build the programs with known answers that the tests observe

unit: $(UNIT_TESTS)	## build and run the unit tests, with sanitizers
	$(Q)set -e; for test in $^; do $$test; done

fuzz: $(FUZZERS)	## build the fuzz targets; scripts/fuzz runs them

check:	## run every test (needs root)
	$(Q)scripts/test

install: all	## install; DESTDIR= and PREFIX= are honoured
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/taskdiag-bpf
	install -D -m 0644 $(BUILD)/taskdiag-bpf.1 $(DESTDIR)$(PREFIX)/share/man/man1/taskdiag-bpf.1
	install -D -m 0644 $(BUILD)/taskdiag-bpf.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/taskdiag-bpf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/taskdiag-bpf user/share/serve.ini user/share/pulp.ini
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/bin/|$(PREFIX)/bin/|' user/share/taskdiag-bpf.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/taskdiag-bpf.service
	install -D -m 0644 user/share/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/taskdiag-bpf.conf
	install -D -m 0644 user/share/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/taskdiag-bpf.conf

uninstall:	## remove what install has put there
	rm -f $(DESTDIR)$(PREFIX)/bin/taskdiag-bpf $(DESTDIR)$(PREFIX)/share/man/man1/taskdiag-bpf.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/taskdiag-bpf \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/taskdiag-bpf.service \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/taskdiag-bpf.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/taskdiag-bpf.conf
	rm -rf $(DESTDIR)$(PREFIX)/share/taskdiag-bpf

deb: all	## build a Debian package
	scripts/deb $(BUILD) $(VERSION)

clean:	## remove build/
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
