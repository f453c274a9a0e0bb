# The two commands of the README, and what they are made of. Everything else is plain cargo.

CARGO ?= cargo

.PHONY: demo test check check-c-decoder packages test-packages

# A call between you and Mirror on this machine: in a window, or without a screen offscreen.
demo: packages
	$(CARGO) build --release --locked
	./target/release/visavis demo

# All tests, with the display and the sound server that they need.
test: packages test-packages
	./tests/with-desktop.sh $(CARGO) test --locked --no-fail-fast

# What has to be so before a change lands, short of the tests.
check:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features server --lib --bin visavis-server -- -D warnings
	$(CARGO) deny --locked check bans licenses sources

# The other decoder: dav1d in C in place of its port to Rust, through the same tests. Needs meson and ninja.
check-c-decoder:
	$(CARGO) clippy --locked --no-default-features --features client,c-dav1d --lib -- -D warnings
	$(CARGO) test --locked --no-default-features --features client,c-dav1d --lib codec::

# Installs the system packages that are missing, and says which and why.
packages:
	@./tests/packages.sh build run

test-packages:
	@./tests/packages.sh test
