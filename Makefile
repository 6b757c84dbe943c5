# SPDX-License-Identifier: Apache-2.0
# Forwards to ./dev, for those whose fingers type make. ./dev lists all verbs.
.PHONY: all debug release test valgrind traces format clean distclean help bench lint install

all:
	./dev build

debug release test valgrind traces format clean distclean help bench lint install:
	./dev $@
