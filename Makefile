# agentutils: `make demo` shows what the tools do, `make test` runs every test, `make bench`
# measures them beside other ways.

PREFIX = /usr/local
DESTDIR =
CARGO = cargo

bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man
programs = lsagents lssessions lsclaude agentdiff agentprune
scripts = cleanup_leaked_agents.sh verify_cleanup.sh

all:
	$(CARGO) build --release --locked --bins

demo:
	sh tests/need.sh cc tmux
	$(CARGO) build --profile demo --locked --bins --examples
	target/demo/examples/demo

test:
	sh tests/need.sh cc tmux python3 jq strace shellcheck mandoc
	$(CARGO) test --workspace --all-targets --locked

bench:
	sh tests/need.sh cc tmux python3 jq ps pgrep
	$(CARGO) build --release --locked -p agentutils --bins --examples
	target/release/examples/bench

install: all
	mkdir -p $(bindir) $(mandir)/man1 $(mandir)/man5 $(mandir)/man7
	for program in $(programs); do install -m 755 target/release/$$program $(bindir)/ || exit 1; done
	for script in $(scripts); do install -m 755 tools/$$script $(bindir)/ || exit 1; done
	for section in 1 5 7; do install -m 644 man/*.$$section $(mandir)/man$$section/ || exit 1; done

uninstall:
	for file in $(programs) $(scripts); do rm -f $(bindir)/$$file; done
	for page in man/*.[157]; do rm -f $(mandir)/man$${page##*.}/$${page##*/}; done

clean:
	$(CARGO) clean

.PHONY: all demo test bench install uninstall clean
