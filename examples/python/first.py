# SPDX-License-Identifier: Apache-2.0
"""The library from Python, with nothing but ctypes: python3 examples/python/first.py"""

import re
from ctypes import CDLL, byref, c_bool, c_char_p, c_uint32, c_uint64, c_void_p, create_string_buffer

vmm_lib = CDLL("./bin/libvmm.so")

# ctypes takes every argument and result for a C int unless it is told: pointers and 64-bit
# addresses would be cut to 32 bits.
vmm_lib.vmm_config_init_default.argtypes = [c_void_p]
vmm_lib.vmm_config_set.argtypes = [c_void_p, c_char_p, c_char_p, c_char_p]
vmm_lib.vmm_create.argtypes = [c_void_p]
vmm_lib.vmm_create.restype = c_void_p
vmm_lib.vmm_access.argtypes = [c_void_p, c_uint32, c_uint64, c_bool]
vmm_lib.vmm_access.restype = c_bool
vmm_lib.vmm_stats.argtypes = [c_void_p, c_void_p]
vmm_lib.vmm_destroy.argtypes = [c_void_p]

# 64 KiB are enough for the configuration of any version; the library fills in the size.
config = create_string_buffer(64 * 1024)
vmm_lib.vmm_config_init_default(byref(config))
vmm_lib.vmm_config_set(byref(config), b"policy", b"lru", None)
vmm_lib.vmm_config_set(byref(config), b"frames", b"3", None)

vmm = vmm_lib.vmm_create(byref(config))
for page in (1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5):
    pid, addr, is_write = 1, 0x7FFF_0000_0000 + page * 4096, False
    vmm_lib.vmm_access(vmm, pid, addr, is_write)

# VMMStats is its size and then 64-bit counters, in the order of include/vmm/counters.def.
with open("include/vmm/counters.def", encoding="utf-8") as table:
    names = re.findall(r"^X\((\w+)", table.read(), re.MULTILINE)
stats = (c_uint64 * 64)(64 * 8)
vmm_lib.vmm_stats(vmm, byref(stats))
for name in ("accesses", "page_faults", "tlb_misses"):
    print(name, stats[1 + names.index(name)])
vmm_lib.vmm_destroy(vmm)
