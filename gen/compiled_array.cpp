// Drives a Verilated array: slices in, result rows out. Called from gen/compiled_array.py.

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

// Take all slices, back to back, and collect all rows. Returns the cycles from the first slice to
// the last row, both included, or -1 if the array gave fewer rows within `limit` cycles.
extern "C" int64_t run(const uint8_t* a, int64_t a_stride, const uint8_t* w, int64_t w_stride,
                       const uint8_t* last, int64_t slices, uint8_t* rows, int64_t row_stride,
                       int64_t row_count, int64_t limit) {
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
            std::memcpy(&top.in_a, a + taken * a_stride, sizeof top.in_a);
            std::memcpy(&top.in_w, w + taken * w_stride, sizeof top.in_w);
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
