/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes one file for each entry of a registry, at the cost of one line in its .def list.
 *
 * The preprocessor can turn a list X(fifo) X(lru) ... into tables, but it cannot turn it into
 * #include directives. This file can: define
 *
 *     #define VMM_EACH_LIST VMM_POLICIES             the list, a macro that takes X
 *     #define VMM_EACH_PATH(name) ../mm/policy/name.c    relative to src/base/
 *     #include "../base/include_each.h"
 *
 * and every file of the list is included in order. Both macros are undefined afterwards. It
 * serves up to 64 entries and says so if there are more. The definitions stand between the comments
 * "clang-format off" and "clang-format on", since clang-format would set blanks into the path.
 */
#define VMM_EACH_COMMA(name) name,
#define VMM_EACH_PLUS_ONE(name) +1
#define VMM_EACH_COUNT (0 VMM_EACH_LIST(VMM_EACH_PLUS_ONE))
#define VMM_EACH_CALL(macro, ...) macro(__VA_ARGS__)
#define VMM_EACH_STRING(path) #path
#define VMM_EACH_QUOTE(path) VMM_EACH_STRING(path)
#define VMM_EACH_FILE_OF(name) VMM_EACH_QUOTE(VMM_EACH_PATH(name))
#define VMM_EACH_FILE(n) \
    VMM_EACH_CALL(VMM_EACH_FILE_OF, VMM_EACH_CALL(VMM_PICK_##n, VMM_EACH_LIST(VMM_EACH_COMMA) end))

#ifndef VMM_PICK_0
#define VMM_PICK_0(first, ...) first
#define VMM_PICK_1(first, ...) VMM_PICK_0(__VA_ARGS__)
#define VMM_PICK_2(first, ...) VMM_PICK_1(__VA_ARGS__)
#define VMM_PICK_3(first, ...) VMM_PICK_2(__VA_ARGS__)
#define VMM_PICK_4(first, ...) VMM_PICK_3(__VA_ARGS__)
#define VMM_PICK_5(first, ...) VMM_PICK_4(__VA_ARGS__)
#define VMM_PICK_6(first, ...) VMM_PICK_5(__VA_ARGS__)
#define VMM_PICK_7(first, ...) VMM_PICK_6(__VA_ARGS__)
#define VMM_PICK_8(first, ...) VMM_PICK_7(__VA_ARGS__)
#define VMM_PICK_9(first, ...) VMM_PICK_8(__VA_ARGS__)
#define VMM_PICK_10(first, ...) VMM_PICK_9(__VA_ARGS__)
#define VMM_PICK_11(first, ...) VMM_PICK_10(__VA_ARGS__)
#define VMM_PICK_12(first, ...) VMM_PICK_11(__VA_ARGS__)
#define VMM_PICK_13(first, ...) VMM_PICK_12(__VA_ARGS__)
#define VMM_PICK_14(first, ...) VMM_PICK_13(__VA_ARGS__)
#define VMM_PICK_15(first, ...) VMM_PICK_14(__VA_ARGS__)
#define VMM_PICK_16(first, ...) VMM_PICK_15(__VA_ARGS__)
#define VMM_PICK_17(first, ...) VMM_PICK_16(__VA_ARGS__)
#define VMM_PICK_18(first, ...) VMM_PICK_17(__VA_ARGS__)
#define VMM_PICK_19(first, ...) VMM_PICK_18(__VA_ARGS__)
#define VMM_PICK_20(first, ...) VMM_PICK_19(__VA_ARGS__)
#define VMM_PICK_21(first, ...) VMM_PICK_20(__VA_ARGS__)
#define VMM_PICK_22(first, ...) VMM_PICK_21(__VA_ARGS__)
#define VMM_PICK_23(first, ...) VMM_PICK_22(__VA_ARGS__)
#define VMM_PICK_24(first, ...) VMM_PICK_23(__VA_ARGS__)
#define VMM_PICK_25(first, ...) VMM_PICK_24(__VA_ARGS__)
#define VMM_PICK_26(first, ...) VMM_PICK_25(__VA_ARGS__)
#define VMM_PICK_27(first, ...) VMM_PICK_26(__VA_ARGS__)
#define VMM_PICK_28(first, ...) VMM_PICK_27(__VA_ARGS__)
#define VMM_PICK_29(first, ...) VMM_PICK_28(__VA_ARGS__)
#define VMM_PICK_30(first, ...) VMM_PICK_29(__VA_ARGS__)
#define VMM_PICK_31(first, ...) VMM_PICK_30(__VA_ARGS__)
#define VMM_PICK_32(first, ...) VMM_PICK_31(__VA_ARGS__)
#define VMM_PICK_33(first, ...) VMM_PICK_32(__VA_ARGS__)
#define VMM_PICK_34(first, ...) VMM_PICK_33(__VA_ARGS__)
#define VMM_PICK_35(first, ...) VMM_PICK_34(__VA_ARGS__)
#define VMM_PICK_36(first, ...) VMM_PICK_35(__VA_ARGS__)
#define VMM_PICK_37(first, ...) VMM_PICK_36(__VA_ARGS__)
#define VMM_PICK_38(first, ...) VMM_PICK_37(__VA_ARGS__)
#define VMM_PICK_39(first, ...) VMM_PICK_38(__VA_ARGS__)
#define VMM_PICK_40(first, ...) VMM_PICK_39(__VA_ARGS__)
#define VMM_PICK_41(first, ...) VMM_PICK_40(__VA_ARGS__)
#define VMM_PICK_42(first, ...) VMM_PICK_41(__VA_ARGS__)
#define VMM_PICK_43(first, ...) VMM_PICK_42(__VA_ARGS__)
#define VMM_PICK_44(first, ...) VMM_PICK_43(__VA_ARGS__)
#define VMM_PICK_45(first, ...) VMM_PICK_44(__VA_ARGS__)
#define VMM_PICK_46(first, ...) VMM_PICK_45(__VA_ARGS__)
#define VMM_PICK_47(first, ...) VMM_PICK_46(__VA_ARGS__)
#define VMM_PICK_48(first, ...) VMM_PICK_47(__VA_ARGS__)
#define VMM_PICK_49(first, ...) VMM_PICK_48(__VA_ARGS__)
#define VMM_PICK_50(first, ...) VMM_PICK_49(__VA_ARGS__)
#define VMM_PICK_51(first, ...) VMM_PICK_50(__VA_ARGS__)
#define VMM_PICK_52(first, ...) VMM_PICK_51(__VA_ARGS__)
#define VMM_PICK_53(first, ...) VMM_PICK_52(__VA_ARGS__)
#define VMM_PICK_54(first, ...) VMM_PICK_53(__VA_ARGS__)
#define VMM_PICK_55(first, ...) VMM_PICK_54(__VA_ARGS__)
#define VMM_PICK_56(first, ...) VMM_PICK_55(__VA_ARGS__)
#define VMM_PICK_57(first, ...) VMM_PICK_56(__VA_ARGS__)
#define VMM_PICK_58(first, ...) VMM_PICK_57(__VA_ARGS__)
#define VMM_PICK_59(first, ...) VMM_PICK_58(__VA_ARGS__)
#define VMM_PICK_60(first, ...) VMM_PICK_59(__VA_ARGS__)
#define VMM_PICK_61(first, ...) VMM_PICK_60(__VA_ARGS__)
#define VMM_PICK_62(first, ...) VMM_PICK_61(__VA_ARGS__)
#define VMM_PICK_63(first, ...) VMM_PICK_62(__VA_ARGS__)
#endif

#if VMM_EACH_COUNT > 0
#include VMM_EACH_FILE(0)
#endif
#if VMM_EACH_COUNT > 1
#include VMM_EACH_FILE(1)
#endif
#if VMM_EACH_COUNT > 2
#include VMM_EACH_FILE(2)
#endif
#if VMM_EACH_COUNT > 3
#include VMM_EACH_FILE(3)
#endif
#if VMM_EACH_COUNT > 4
#include VMM_EACH_FILE(4)
#endif
#if VMM_EACH_COUNT > 5
#include VMM_EACH_FILE(5)
#endif
#if VMM_EACH_COUNT > 6
#include VMM_EACH_FILE(6)
#endif
#if VMM_EACH_COUNT > 7
#include VMM_EACH_FILE(7)
#endif
#if VMM_EACH_COUNT > 8
#include VMM_EACH_FILE(8)
#endif
#if VMM_EACH_COUNT > 9
#include VMM_EACH_FILE(9)
#endif
#if VMM_EACH_COUNT > 10
#include VMM_EACH_FILE(10)
#endif
#if VMM_EACH_COUNT > 11
#include VMM_EACH_FILE(11)
#endif
#if VMM_EACH_COUNT > 12
#include VMM_EACH_FILE(12)
#endif
#if VMM_EACH_COUNT > 13
#include VMM_EACH_FILE(13)
#endif
#if VMM_EACH_COUNT > 14
#include VMM_EACH_FILE(14)
#endif
#if VMM_EACH_COUNT > 15
#include VMM_EACH_FILE(15)
#endif
#if VMM_EACH_COUNT > 16
#include VMM_EACH_FILE(16)
#endif
#if VMM_EACH_COUNT > 17
#include VMM_EACH_FILE(17)
#endif
#if VMM_EACH_COUNT > 18
#include VMM_EACH_FILE(18)
#endif
#if VMM_EACH_COUNT > 19
#include VMM_EACH_FILE(19)
#endif
#if VMM_EACH_COUNT > 20
#include VMM_EACH_FILE(20)
#endif
#if VMM_EACH_COUNT > 21
#include VMM_EACH_FILE(21)
#endif
#if VMM_EACH_COUNT > 22
#include VMM_EACH_FILE(22)
#endif
#if VMM_EACH_COUNT > 23
#include VMM_EACH_FILE(23)
#endif
#if VMM_EACH_COUNT > 24
#include VMM_EACH_FILE(24)
#endif
#if VMM_EACH_COUNT > 25
#include VMM_EACH_FILE(25)
#endif
#if VMM_EACH_COUNT > 26
#include VMM_EACH_FILE(26)
#endif
#if VMM_EACH_COUNT > 27
#include VMM_EACH_FILE(27)
#endif
#if VMM_EACH_COUNT > 28
#include VMM_EACH_FILE(28)
#endif
#if VMM_EACH_COUNT > 29
#include VMM_EACH_FILE(29)
#endif
#if VMM_EACH_COUNT > 30
#include VMM_EACH_FILE(30)
#endif
#if VMM_EACH_COUNT > 31
#include VMM_EACH_FILE(31)
#endif
#if VMM_EACH_COUNT > 32
#include VMM_EACH_FILE(32)
#endif
#if VMM_EACH_COUNT > 33
#include VMM_EACH_FILE(33)
#endif
#if VMM_EACH_COUNT > 34
#include VMM_EACH_FILE(34)
#endif
#if VMM_EACH_COUNT > 35
#include VMM_EACH_FILE(35)
#endif
#if VMM_EACH_COUNT > 36
#include VMM_EACH_FILE(36)
#endif
#if VMM_EACH_COUNT > 37
#include VMM_EACH_FILE(37)
#endif
#if VMM_EACH_COUNT > 38
#include VMM_EACH_FILE(38)
#endif
#if VMM_EACH_COUNT > 39
#include VMM_EACH_FILE(39)
#endif
#if VMM_EACH_COUNT > 40
#include VMM_EACH_FILE(40)
#endif
#if VMM_EACH_COUNT > 41
#include VMM_EACH_FILE(41)
#endif
#if VMM_EACH_COUNT > 42
#include VMM_EACH_FILE(42)
#endif
#if VMM_EACH_COUNT > 43
#include VMM_EACH_FILE(43)
#endif
#if VMM_EACH_COUNT > 44
#include VMM_EACH_FILE(44)
#endif
#if VMM_EACH_COUNT > 45
#include VMM_EACH_FILE(45)
#endif
#if VMM_EACH_COUNT > 46
#include VMM_EACH_FILE(46)
#endif
#if VMM_EACH_COUNT > 47
#include VMM_EACH_FILE(47)
#endif
#if VMM_EACH_COUNT > 48
#include VMM_EACH_FILE(48)
#endif
#if VMM_EACH_COUNT > 49
#include VMM_EACH_FILE(49)
#endif
#if VMM_EACH_COUNT > 50
#include VMM_EACH_FILE(50)
#endif
#if VMM_EACH_COUNT > 51
#include VMM_EACH_FILE(51)
#endif
#if VMM_EACH_COUNT > 52
#include VMM_EACH_FILE(52)
#endif
#if VMM_EACH_COUNT > 53
#include VMM_EACH_FILE(53)
#endif
#if VMM_EACH_COUNT > 54
#include VMM_EACH_FILE(54)
#endif
#if VMM_EACH_COUNT > 55
#include VMM_EACH_FILE(55)
#endif
#if VMM_EACH_COUNT > 56
#include VMM_EACH_FILE(56)
#endif
#if VMM_EACH_COUNT > 57
#include VMM_EACH_FILE(57)
#endif
#if VMM_EACH_COUNT > 58
#include VMM_EACH_FILE(58)
#endif
#if VMM_EACH_COUNT > 59
#include VMM_EACH_FILE(59)
#endif
#if VMM_EACH_COUNT > 60
#include VMM_EACH_FILE(60)
#endif
#if VMM_EACH_COUNT > 61
#include VMM_EACH_FILE(61)
#endif
#if VMM_EACH_COUNT > 62
#include VMM_EACH_FILE(62)
#endif
#if VMM_EACH_COUNT > 63
#include VMM_EACH_FILE(63)
#endif
#if VMM_EACH_COUNT > 64
#error "the registry has outgrown include_each.h: add lines above"
#endif

#undef VMM_EACH_LIST
#undef VMM_EACH_PATH
#undef VMM_EACH_COMMA
#undef VMM_EACH_PLUS_ONE
#undef VMM_EACH_COUNT
#undef VMM_EACH_CALL
#undef VMM_EACH_STRING
#undef VMM_EACH_QUOTE
#undef VMM_EACH_FILE_OF
#undef VMM_EACH_FILE
