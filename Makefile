# SPDX-License-Identifier: GPL-3.0-or-later

PREFIX ?= /usr/local
DESTDIR ?=

plugins = $(DESTDIR)$(PREFIX)/libexec/fuse-overlayfs
libexec = $(DESTDIR)$(PREFIX)/libexec/crfs-plugin
runtime = $(DESTDIR)$(PREFIX)/lib/crfs-plugin
bin = $(DESTDIR)$(PREFIX)/bin
share = $(DESTDIR)$(PREFIX)/share
units = $(DESTDIR)$(PREFIX)/lib/systemd
# mount(8) looks for helpers in /sbin alone: one of another prefix has to be linked there
helpers = $(DESTDIR)$(if $(filter /usr/local,$(PREFIX)),,$(PREFIX))/sbin

native = binding.gyp $(shell find csrc -type f)
typescript = tsconfig.json $(shell find src test bench -name '*.ts' 2>/dev/null)

all: crfs-plugin.so crfs-lower dist/.built dist/commit

# what the build needs from the system and from npm
node_modules/.package-lock.json: package-lock.json scripts/system-packages
	scripts/system-packages build
	npm ci --no-progress
	touch $@

build/.built: $(native) node_modules/.package-lock.json
	node scripts/build-native.mjs
	touch $@

crfs-plugin.so: build/.built
	cp build/Release/crfs-plugin.so $@.new
	mv $@.new $@

crfs-lower: build/.built
	cp build/Release/crfs-lower $@.new
	mv $@.new $@

dist/.built: $(typescript) scripts/bundle.mjs scripts/write-manual.mjs node_modules/.package-lock.json
	rm -rf dist
	npx tsc
	node scripts/bundle.mjs
	node scripts/write-manual.mjs
	touch $@

# for `crfs version`; always looked for, and left alone where it has not changed
dist/commit: dist/.built always
	scripts/commit >$@.new
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

demo: all
	scripts/system-packages run
	scripts/demo

test: all
	scripts/system-packages test
	scripts/test

# make test-repeat N=10 FILES=dist/test/mount/network.test.js; without FILES: all tests
N = 10
test-repeat: all
	scripts/system-packages test
	node scripts/test-repeat.mjs $(N) $(FILES)

sanitize: all
	scripts/system-packages test
	scripts/sanitize
	scripts/sanitize-threads

bench: all
	scripts/system-packages test
	npm run bench

# the same for everybody, whatever the umask of whoever installs
install: all
	umask 022 && $(MAKE) --no-print-directory install-files

# made beside the one that is there, which daemons may be started from meanwhile
install-files: fresh = $(runtime).new
install-files:
	install -d "$(plugins)" "$(libexec)" "$(bin)" "$(helpers)"
	rm -rf "$(fresh)" "$(runtime).old"
	install -d "$(fresh)/bin" "$(fresh)/build/Release" "$(fresh)/dist"
	install -m 755 bin/crfs bin/mount.fuse.crfs "$(fresh)/bin"
	install -m 644 package.json package-lock.json .npmrc LICENSE "$(fresh)"
	install -m 644 build/Release/crfs_addon.node "$(fresh)/build/Release"
	cp -R dist/bundle dist/commit "$(fresh)/dist"
	cp -R node_modules "$(fresh)/node_modules"
	cd "$(fresh)" && npm prune --omit=dev --no-progress --no-audit --no-fund && \
	  rm -rf package-lock.json .npmrc node_modules/.cache node_modules/typescript node_modules/@typescript
	find "$(fresh)/node_modules" -mindepth 1 -type d -empty -delete
	chmod -R u=rwX,go=rX "$(fresh)"
	[ ! -e "$(runtime)" ] || mv "$(runtime)" "$(runtime).old"
	mv "$(fresh)" "$(runtime)"
	rm -rf "$(runtime).old"
	install -m 755 crfs-plugin.so "$(plugins)/crfs-plugin.so"
	install -m 755 crfs-lower "$(libexec)/crfs-lower"
	ln -sfn ../lib/crfs-plugin/bin/crfs "$(bin)/crfs"
	cd dist/share && find . -type f -exec install -D -m 644 '{}' "$(share)/{}" \;
	for kind in system user; do \
	  install -d "$(units)/$$kind" && \
	  sed 's|@bin@|$(PREFIX)/bin|g; s|@home@|%h|g' "dist/lib/systemd/$$kind/crfs-store.service" >"$(units)/$$kind/crfs-store.service" && \
	  chmod 644 "$(units)/$$kind/crfs-store.service" || exit; \
	done
	ln -sfn "$(PREFIX)/lib/crfs-plugin/bin/mount.fuse.crfs" "$(helpers)/mount.fuse.crfs"

uninstall:
	rm -f "$(plugins)/crfs-plugin.so" "$(bin)/crfs" "$(helpers)/mount.fuse.crfs"
	rm -rf "$(runtime)" "$(libexec)"
	rm -f "$(share)/man/man1/crfs.1" "$(share)"/man/man1/crfs-*.1 "$(share)/bash-completion/completions/crfs"
	rm -f "$(units)/system/crfs-store.service" "$(units)/user/crfs-store.service"
	rm -f "$(share)/zsh/site-functions/_crfs" "$(share)/fish/vendor_completions.d/crfs.fish"
	for one in $(emptied); do [ ! -d "$(DESTDIR)$$one" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$one"; done

# directories that go with what was in them, if nothing else is: what a system has anyway, only of a root that is made
emptied = $(addprefix $(PREFIX)/,libexec/fuse-overlayfs share/bash-completion/completions share/bash-completion \
  share/fish/vendor_completions.d share/fish lib/systemd/system lib/systemd/user lib/systemd $(if $(DESTDIR),share/zsh/site-functions share/zsh share/man/man1 \
  share/man share libexec lib bin)) $(if $(DESTDIR),$(PREFIX)/sbin $(PREFIX) $(filter-out /,$(dir $(PREFIX))) /sbin)

# build/deb/crfs-plugin_VERSION_ARCHITECTURE.deb
deb: all
	scripts/system-packages deb
	scripts/deb

# on a fresh Debian 12, in a few minutes
test-deb: deb
	scripts/test-deb build/deb/*.deb

clean:
	scripts/remove-tree build dist
	rm -f crfs-plugin.so crfs-lower

.PHONY: all always demo test test-repeat sanitize bench install install-files uninstall deb test-deb clean
