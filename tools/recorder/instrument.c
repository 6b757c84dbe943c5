/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads, stores and fetches, recorded by code inside of the translated program.
 *
 * A superblock of the program becomes:
 *
 *     if (cursor > limit) flush()        the only call, once for each block
 *     base = cursor
 *     base[0] = fetch of the block's page;  cursor = base + 1
 *     base[1] = address of a load | tag;    cursor = base + 2
 *     ...
 *
 * The base stays in a register; a record is two stores. The cursor is told each time because any
 * access may fault: a program that handles the signal (a garbage collector's barrier) must not
 * lose what its block did before, and the access that failed is a reference, too. A guarded access
 * writes its record always and moves the base by its guard: no branch.
 *
 * Valgrind translates before we see it, and drops loads whose result nobody uses, as far as it is
 * allowed to: the program that starts us says --px-default=allregs-at-each-insn, which keeps them.
 */
#include "recorder.h"

/* Records between two looks at the limit: half of the slack. */
enum { INSTRUMENT_MOST = CHANNEL_SLACK / 2 };

/*
 * Programs have memory below 2^47. A wild pointer may lead above, and its upper bits must not be
 * taken for the tag of a record: they are shifted out, two instructions where a mask takes ten more
 * bytes of code.
 */
enum { INSTRUMENT_NO_ADDRESS_BITS = 17 };
_Static_assert(CHANNEL_KERNEL == 1ull << (64 - INSTRUMENT_NO_ADDRESS_BITS), "the lowest other bit");

typedef struct Instrumenter {
    IRSB *out;
    IRTemp base;          /* where the next record goes, less `pending` */
    Int pending;          /* bytes stored behind base */
    Int stored;           /* bytes at most, since the last look at the limit */
    ULong page;           /* page of the last fetch recorded in this block */
    UInt fetches;         /* CHANNEL_FETCHES_... */
    const IRExpr *loaded; /* where this instruction loaded from last; NULL: it has not */
} Instrumenter;

static IRExpr *instrument_u64(ULong value) {
    return IRExpr_Const(IRConst_U64(value));
}

static IRExpr *instrument_temp(Instrumenter *in, IRExpr *value) {
    IRTemp temp = newIRTemp(in->out->tyenv, Ity_I64);
    addStmtToIRSB(in->out, IRStmt_WrTmp(temp, value));
    return IRExpr_RdTmp(temp);
}

static IRExpr *instrument_sum(Instrumenter *in, IRExpr *a, IRExpr *b) {
    return instrument_temp(in, IRExpr_Binop(Iop_Add64, a, b));
}

static IRExpr *instrument_load(Instrumenter *in, const void *from) {
    return instrument_temp(in, IRExpr_Load(Iend_LE, Ity_I64, instrument_u64((Addr)from)));
}

static void instrument_set_base(Instrumenter *in, IRExpr *value) {
    in->base = value->Iex.RdTmp.tmp;
    in->pending = 0;
}

static IRExpr *instrument_next_record(Instrumenter *in) {
    IRExpr *base = IRExpr_RdTmp(in->base);
    return in->pending == 0 ? base : instrument_sum(in, base, instrument_u64((ULong)in->pending));
}

static void instrument_write_cursor(Instrumenter *in) {
    IRExpr *next = instrument_next_record(in);
    addStmtToIRSB(in->out,
                  IRStmt_Store(Iend_LE, instrument_u64((Addr)&recorder_slot.cursor), next));
}

/* A look at the limit, and a fresh base. */
static void instrument_look(Instrumenter *in) {
    IRExpr *cursor = instrument_load(in, &recorder_slot.cursor);
    IRExpr *limit = instrument_load(in, &recorder_slot.limit);
    IRTemp beyond = newIRTemp(in->out->tyenv, Ity_I1);
    addStmtToIRSB(in->out, IRStmt_WrTmp(beyond, IRExpr_Binop(Iop_CmpLT64U, limit, cursor)));
    IRDirty *call = unsafeIRDirty_0_N(0, "recorder_flush", VG_(fnptr_to_fnentry)(&recorder_flush),
                                      mkIRExprVec_0());
    call->guard = IRExpr_RdTmp(beyond);
    addStmtToIRSB(in->out, IRStmt_Dirty(call));
    instrument_set_base(in, instrument_load(in, &recorder_slot.cursor));
    in->stored = 0;
}

/* An address as a record has it. */
static IRExpr *instrument_address(Instrumenter *in, IRExpr *addr) {
    IRExpr *bits = IRExpr_Const(IRConst_U8(INSTRUMENT_NO_ADDRESS_BITS));
    IRExpr *upper = instrument_temp(in, IRExpr_Binop(Iop_Shl64, addr, bits));
    return instrument_temp(in, IRExpr_Binop(Iop_Shr64, upper, bits));
}

static void instrument_record(Instrumenter *in, IRExpr *addr, UInt op, Int size, IRExpr *guard) {
    if (in->stored >= INSTRUMENT_MOST * 8) {
        instrument_look(in);
    }
    ULong tag = CHANNEL_REF(op, 0, (UInt)size);
    IRExpr *record;
    if (addr->tag == Iex_Const) {
        record = instrument_u64((addr->Iex.Const.con->Ico.U64 & (CHANNEL_KERNEL - 1)) | tag);
    } else {
        record = instrument_address(in, addr);
        if (tag != 0) {
            record = instrument_temp(in, IRExpr_Binop(Iop_Or64, record, instrument_u64(tag)));
        }
    }
    addStmtToIRSB(in->out, IRStmt_Store(Iend_LE, instrument_next_record(in), record));
    in->stored += 8;
    if (guard == NULL) {
        in->pending += 8;
    } else {
        IRExpr *taken = instrument_temp(in, IRExpr_Unop(Iop_1Uto64, guard));
        IRExpr *bytes =
            instrument_temp(in, IRExpr_Binop(Iop_Shl64, taken, IRExpr_Const(IRConst_U8(3))));
        instrument_set_base(in, instrument_sum(in, instrument_next_record(in), bytes));
    }
    instrument_write_cursor(in);
}

/* An access of any size. */
static void instrument_access(Instrumenter *in, IRExpr *addr, UInt op, Int size, IRExpr *guard) {
    if (guard != NULL && guard->tag == Iex_Const) {
        if (!guard->Iex.Const.con->Ico.U1) {
            return;
        }
        guard = NULL;
    }
    tl_assert(size > 0 && size <= (Int)CHANNEL_MAX_SIZE);
    instrument_record(in, addr, op, size, guard);
}

static void instrument_fetch(Instrumenter *in, Addr addr, Int size) {
    /* An instruction that crosses fetches the second page, too. */
    ULong first = addr / CHANNEL_PAGE;
    ULong last = (addr + (ULong)size - 1) / CHANNEL_PAGE;
    if (in->fetches == CHANNEL_FETCHES_NONE || size <= 0 ||
        (in->fetches == CHANNEL_FETCHES_PAGE && first == in->page && last == in->page)) {
        return;
    }
    instrument_record(in, instrument_u64(addr), CHANNEL_FETCH, size, NULL);
    in->page = last;
}

static void instrument_dirty(Instrumenter *in, const IRDirty *call) {
    if (call->mFx == Ifx_Read || call->mFx == Ifx_Modify) {
        instrument_access(in, call->mAddr, CHANNEL_READ, call->mSize, call->guard);
    }
    if (call->mFx == Ifx_Write || call->mFx == Ifx_Modify) {
        instrument_access(in, call->mAddr, CHANNEL_WRITE, call->mSize, call->guard);
    }
}

static Bool instrument_is_same(const IRExpr *a, const IRExpr *b) {
    return a != NULL && a->tag == b->tag &&
           (a->tag == Iex_RdTmp ? a->Iex.RdTmp.tmp == b->Iex.RdTmp.tmp
                                : a->Iex.Const.con->Ico.U64 == b->Iex.Const.con->Ico.U64);
}

/*
 * Compare and swap: a read and a write, as the processor locks the line in any case. An atomic
 * instruction that is not cmpxchg (lock add, xadd, xchg) is a load, of what it computes with, and
 * then a compare and swap against that: its read is recorded already.
 */
static void instrument_cas(Instrumenter *in, const IRCAS *cas) {
    Int size = sizeofIRType(typeOfIRExpr(in->out->tyenv, cas->dataLo));
    if (cas->dataHi != NULL) {
        size *= 2;
    }
    if (!instrument_is_same(in->loaded, cas->addr)) {
        instrument_access(in, cas->addr, CHANNEL_READ, size, NULL);
    }
    instrument_access(in, cas->addr, CHANNEL_WRITE, size, NULL);
}

static void instrument_guarded_load(Instrumenter *in, const IRLoadG *load) {
    IRType result = Ity_INVALID;
    IRType loaded = Ity_INVALID;
    typeOfIRLoadGOp(load->cvt, &result, &loaded);
    instrument_access(in, load->addr, CHANNEL_READ, sizeofIRType(loaded), load->guard);
}

/* What a statement does to memory, before the statement itself. */
static void instrument_statement(Instrumenter *in, const IRStmt *statement) {
    switch (statement->tag) {
    case Ist_IMark:
        in->loaded = NULL;
        instrument_fetch(in, statement->Ist.IMark.addr, (Int)statement->Ist.IMark.len);
        break;
    case Ist_WrTmp: {
        const IRExpr *data = statement->Ist.WrTmp.data;
        if (data->tag == Iex_Load) {
            instrument_access(in, data->Iex.Load.addr, CHANNEL_READ,
                              sizeofIRType(data->Iex.Load.ty), NULL);
            in->loaded = data->Iex.Load.addr;
        }
        break;
    }
    case Ist_Store: {
        IRType type = typeOfIRExpr(in->out->tyenv, statement->Ist.Store.data);
        instrument_access(in, statement->Ist.Store.addr, CHANNEL_WRITE, sizeofIRType(type), NULL);
        break;
    }
    case Ist_StoreG: {
        const IRStoreG *store = statement->Ist.StoreG.details;
        IRType type = typeOfIRExpr(in->out->tyenv, store->data);
        instrument_access(in, store->addr, CHANNEL_WRITE, sizeofIRType(type), store->guard);
        break;
    }
    case Ist_LoadG:
        instrument_guarded_load(in, statement->Ist.LoadG.details);
        break;
    case Ist_Dirty:
        instrument_dirty(in, statement->Ist.Dirty.details);
        break;
    case Ist_CAS:
        instrument_cas(in, statement->Ist.CAS.details);
        break;
    default:
        break;
    }
}

IRSB *recorder_instrument(VgCallbackClosure *closure, IRSB *block, const VexGuestLayout *layout,
                          const VexGuestExtents *extents, const VexArchInfo *arch,
                          IRType guest_word, IRType host_word) {
    Instrumenter in = {.out = deepCopyIRSBExceptStmts(block),
                       .page = ~0ull,
                       .fetches = recorder_producer.channel->fetches};
    Int i = 0;
    /* What Valgrind puts before the first instruction stays there. */
    for (; i < block->stmts_used && block->stmts[i]->tag != Ist_IMark; i++) {
        addStmtToIRSB(in.out, block->stmts[i]);
    }
    instrument_look(&in);
    for (; i < block->stmts_used; i++) {
        instrument_statement(&in, block->stmts[i]);
        addStmtToIRSB(in.out, block->stmts[i]);
    }
    return in.out;
}
