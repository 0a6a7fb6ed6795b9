// Drives a Verilated array or tensor core: slices in, result rows out. Called from gen/compiled_array.py.

#include <cstdint>
#include <cstring>

#include "Vtop.h"
#include "verilated.h"

// Ports are integers or arrays of 32-bit words, both little-endian like the words they are given.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine is needed");

static void tick(Vtop& top) {
    top.clk = 1;
    top.eval();
    top.clk = 0;
}

// The indices of sparse tensor cores, and the zero point of affine bytes.
template <typename Top>
static auto set_index(Top& top, const uint8_t* word, int) -> decltype(void(top.in_index)) {
    std::memcpy(&top.in_index, word, sizeof top.in_index);
}
template <typename Top>
static void set_index(Top&, const uint8_t*, long) {}
template <typename Top>
static auto set_zero_point(Top& top, const uint8_t* word, int) -> decltype(void(top.zero_point)) {
    top.zero_point = *word;
}
template <typename Top>
static void set_zero_point(Top&, const uint8_t*, long) {}

// Take all slices, back to back, and collect all rows. Returns the cycles from the first slice to
// the last row, both included, or -1 if the array gave fewer rows within `limit` cycles.
// `operands` are words of in_a, in_w, in_index and zero_point, each so many bytes of `strides` after
// the other.
extern "C" int64_t run(const uint8_t* const* operands, const int64_t* strides, const uint8_t* last,
                       int64_t slices, uint8_t* rows, int64_t row_stride, int64_t row_count,
                       int64_t limit) {
    VerilatedContext context;
    Vtop top(&context);
    top.clk = 0;
    top.in_valid = 0;
    top.rst = 1;
    top.eval();
    tick(top);
    top.rst = 0;

    int64_t taken = 0, received = 0;
    for (int64_t cycle = 0; cycle < limit; ++cycle) {
        top.in_valid = taken < slices;
        if (taken < slices) {
            top.in_last = last[taken];
            std::memcpy(&top.in_a, operands[0] + taken * strides[0], sizeof top.in_a);
            std::memcpy(&top.in_w, operands[1] + taken * strides[1], sizeof top.in_w);
            set_index(top, operands[2] + taken * strides[2], 0);
            set_zero_point(top, operands[3] + taken * strides[3], 0);
        }
        top.eval();
        if (top.out_valid) {
            std::memcpy(rows + received * row_stride, &top.out_acc, sizeof top.out_acc);
            if (++received == row_count) return cycle + 1;
        }
        taken += top.in_valid && top.in_ready;
        tick(top);
    }
    return -1;
}
