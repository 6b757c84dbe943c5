# SPDX-License-Identifier: Apache-2.0
"""The replacement policies by name; their families are in files of their own."""

from __future__ import annotations

from policies_adaptive import ADAPTIVE
from policies_queues import (Dip, EnhancedSecondChance, Fbr, Lfuda, LruK, Mq, Qdlp, S3Fifo,
                             Sampled, SegFifo, Sieve, Slru, TwoQ)
from policies_textbook import (ApproxLru, Clock, Fifo, Lfu, Lru, Mru, Nru, Opt, Random, Unopt)
from policies_vm import (Cflru, FreeBsd, MgLru, Pff, TwoHand, TwoList, Vmin, Ws, WsClock)
from policy import Policy

POLICIES: dict[str, type[Policy]] = {
    **ADAPTIVE,
    "fifo": Fifo,
    "lru": Lru,
    "mru": Mru,
    "clock": Clock,
    "random": Random,
    "lfu": Lfu,
    "approxlru": ApproxLru,
    "nru": Nru,
    "opt": Opt,
    "unopt": Unopt,
    "ws": Ws,
    "vmin": Vmin,
    "pff": Pff,
    "wsclock": WsClock,
    "twolist": TwoList,
    "mglru": MgLru,
    "freebsd": FreeBsd,
    "twohand": TwoHand,
    "cflru": Cflru,
    "sieve": Sieve,
    "s3fifo": S3Fifo,
    "qdlp": Qdlp,
    "twoq": TwoQ,
    "slru": Slru,
    "lruk": LruK,
    "lfuda": Lfuda,
    "segfifo": SegFifo,
    "esc": EnhancedSecondChance,
    "mq": Mq,
    "fbr": Fbr,
    "sampled": Sampled,
    "dip": Dip,
}
