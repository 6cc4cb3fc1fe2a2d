# agentutils: `make demo` shows what the tools do, `make test` runs every test, `make bench`
# measures them beside other ways.

PREFIX = /usr/local
DESTDIR =
CARGO = cargo
INSTALL = install
# With INSTALL_PROGRAM='install -s', programs lose their symbols.
INSTALL_PROGRAM = $(INSTALL)

target = $(or $(CARGO_TARGET_DIR),target)
# What is installed, and where to. Not every shell expands `PREFIX=~/.local`.
built = $(target)/release
completions = $(built)/completions
prefix = $(patsubst ~/%,$(HOME)/%,$(PREFIX))
bindir = $(prefix)/bin
mandir = $(prefix)/share/man
bash_completions = $(prefix)/share/bash-completion/completions
zsh_completions = $(prefix)/share/zsh/site-functions
fish_completions = $(prefix)/share/fish/vendor_completions.d

programs = lsagents lssessions lsclaude agentdiff agentprune
scripts = cleanup_leaked_agents.sh verify_cleanup.sh

# One build for `make`, `make demo` and `make install`; `make bench` adds one program.
all:
	$(CARGO) build --release --locked -p agentutils --bins --example completions --example demo --example standin

# The demo leaks a process, and whoever takes that in must be known to take in orphans.
demo:
	sh tests/need.sh cc tmux $$(sh tests/below-init.sh --needs)
	$(MAKE) all
	sh tests/below-init.sh --if-needed "$(built)/examples/demo"

test:
	sh tests/need.sh cc tmux tini dumb-init catatonit screen dtach supervisord npx python3 jq strace shellcheck mandoc man bash-completion zsh fish ssh parallel
# As programs: `cargo test` may build the examples as tests only.
	$(CARGO) build --locked -p agentutils --bins --examples
	$(CARGO) test --workspace --all-targets --locked

bench:
	sh tests/need.sh cc tmux python3 jq ps pgrep
	$(CARGO) build --release --locked -p agentutils --bins --examples
	"$(target)/release/examples/bench"

# The pictures of the README.
pictures:
	sh tests/need.sh cc tmux python3 tini
	$(CARGO) build --locked -p agentutils --bins --examples
	sh tests/pictures.sh "$(target)/debug/examples/demo"

completions: all
	"$(built)/examples/completions" "$(completions)"

install: completions
	mkdir -p "$(DESTDIR)$(bindir)"
	for section in 1 5 7; do mkdir -p "$(DESTDIR)$(mandir)/man$$section" || exit 1; done
	mkdir -p "$(DESTDIR)$(bash_completions)" "$(DESTDIR)$(zsh_completions)" "$(DESTDIR)$(fish_completions)"
	for file in $(programs); do $(INSTALL_PROGRAM) -m 755 "$(built)/$$file" "$(DESTDIR)$(bindir)/" || exit 1; done
	for file in $(scripts); do $(INSTALL) -m 755 tools/$$file "$(DESTDIR)$(bindir)/" || exit 1; done
	for section in 1 5 7; do $(INSTALL) -m 644 man/*.$$section "$(DESTDIR)$(mandir)/man$$section/" || exit 1; done
# The pages of the scripts by the names that one types, too.
	for file in $(scripts); do echo ".so man1/$${file%.sh}.1" >"$(completions)/$$file.1" && \
		$(INSTALL) -m 644 "$(completions)/$$file.1" "$(DESTDIR)$(mandir)/man1/" || exit 1; done
	$(INSTALL) -m 644 "$(completions)/bash"/* "$(DESTDIR)$(bash_completions)/"
	$(INSTALL) -m 644 "$(completions)/zsh"/* "$(DESTDIR)$(zsh_completions)/"
	$(INSTALL) -m 644 "$(completions)/fish"/* "$(DESTDIR)$(fish_completions)/"

uninstall:
	for file in $(programs) $(scripts); do rm -f "$(DESTDIR)$(bindir)/$$file" \
		"$(DESTDIR)$(mandir)/man1/$$file.1"; done
	for page in man/*.[157]; do rm -f "$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}"; done
	for file in $(programs) $(scripts); do rm -f "$(DESTDIR)$(bash_completions)/$$file" \
		"$(DESTDIR)$(zsh_completions)/_$$file" "$(DESTDIR)$(fish_completions)/$$file.fish"; done

# Tarballs and .deb in target/packages, for each of these targets that can be built for here.
dist_targets = x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-apple-darwin x86_64-apple-darwin
dist: completions
	CARGO="$(CARGO)" sh tools/dist/dist.sh "$(target)" $(dist_targets)

# What `make dist` has made, below a bare Debian's root and, for aarch64, under qemu.
dist-test: all
	sh tests/dist/bare_root.sh "$(target)/packages" "$(built)"
	sh tests/dist/emulated.sh "$(target)/packages"

clean:
	$(CARGO) clean

.PHONY: all demo test bench pictures completions install uninstall dist dist-test clean
