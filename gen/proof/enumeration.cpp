// Runs compiled gates for all pairs of weights, for each activation code that it is given, and
// compares one step of the accumulator with the sum of products and its biases in integers.
//
// model.h defines Word's functions `recode`, `column_bias`, `row_bias` and `step`, and the constants
// below as macros: WEIGHT_BITS, K (weights per step), ACTIVATION_BITS and WEIGHT_CODE_BITS (of the
// codes), ROW_BITS, COLUMN_BITS (of the biases), ROW_SCALE, COLUMN_SCALE, SUM_BITS (that a step
// may fill), OUT_BITS (that it shows) and SIGNED, whether they have a sign.

#include <cstdint>
#include <cstdio>
#include <vector>

typedef uint64_t Word __attribute__((vector_size(32)));
static const Word zeros = {0, 0, 0, 0};
static const Word ones = {~0ull, ~0ull, ~0ull, ~0ull};
static const int LANES = 256;

#include "model.h"

static const int INPUT_BITS = K * WEIGHT_BITS;
static const int TOTAL = 1 << INPUT_BITS;
static const int BLOCKS = TOTAL < LANES ? 1 : TOTAL / LANES;

// Bit `place` of the numbers block * LANES + lane.
static Word counter(int place, int block) {
    static const uint64_t low[6] = {0xAAAAAAAAAAAAAAAAull, 0xCCCCCCCCCCCCCCCCull,
                                    0xF0F0F0F0F0F0F0F0ull, 0xFF00FF00FF00FF00ull,
                                    0xFFFF0000FFFF0000ull, 0xFFFFFFFF00000000ull};
    if (place < 6) return Word{low[place], low[place], low[place], low[place]};
    if (place == 6) return Word{0, ~0ull, 0, ~0ull};
    if (place == 7) return Word{0, 0, ~0ull, ~0ull};
    return block >> (place - 8) & 1 ? ones : zeros;
}

// Turns a 64 x 64 matrix of bits about its diagonal: bit l of word p becomes bit p of word l.
static void transpose(uint64_t* m) {
    uint64_t mask = 0x00000000FFFFFFFFull;
    for (int j = 32; j; j >>= 1, mask ^= mask << j)
        for (int k = 0; k < 64; k = (k + j + 1) & ~j) {
            const uint64_t t = ((m[k] >> j) ^ m[k + j]) & mask;
            m[k] ^= t << j;
            m[k + j] ^= t;
        }
}

// The numbers whose bits are `planes`, one in each lane.
static void numbers(const Word* planes, int bits, int64_t* values) {
    for (int part = 0; part < 4; ++part) {
        uint64_t m[64] = {0};
        for (int p = 0; p < bits; ++p) m[p] = planes[p][part];
        transpose(m);
        for (int lane = 0; lane < 64; ++lane) values[64 * part + lane] = (int64_t)m[lane];
    }
}

static int64_t weight(int index, int k) {
    const int64_t value = index >> (k * WEIGHT_BITS) & ((1 << WEIGHT_BITS) - 1);
    return value >> (WEIGHT_BITS - 1) ? value - (1 << WEIGHT_BITS) : value;
}

// Whether a sum does not fit what a step may fill.
static int64_t outside(int64_t sum) {
    return SIGNED ? (sum >> (SUM_BITS - 1)) ^ (sum >> 63) : sum >> SUM_BITS;
}

int main(int, char** arguments) {
    // Weight codes and biases, once for all.
    std::vector<Word> codes((size_t)BLOCKS * WEIGHT_CODE_BITS);
    std::vector<int64_t> first(BLOCKS * LANES), second(BLOCKS * LANES), bias(BLOCKS * LANES);
    for (int block = 0; block < BLOCKS; ++block) {
        Word in[INPUT_BITS], column[COLUMN_BITS + 1];
        for (int place = 0; place < INPUT_BITS; ++place) in[place] = counter(place, block);
        Word* code = &codes[(size_t)block * WEIGHT_CODE_BITS];
        recode(in, code);
        column_bias(code, column);
        numbers(column, COLUMN_BITS, &bias[block * LANES]);
        for (int lane = 0; lane < LANES; ++lane) {
            const int index = (block * LANES + lane) % TOTAL;
            first[block * LANES + lane] = weight(index, 0);
            second[block * LANES + lane] = K > 1 ? weight(index, 1) : 0;
            bias[block * LANES + lane] *= COLUMN_SCALE;
        }
    }
    // Each entry: an activation code, and what each weight is multiplied by.
    FILE* file = std::fopen(arguments[1], "rb");
    int64_t entry[3];
    uint64_t checked = 0;
    while (std::fread(entry, sizeof entry, 1, file) == 1) {
        Word code[ACTIVATION_BITS], row[ROW_BITS + 1];
        for (int place = 0; place < ACTIVATION_BITS; ++place)
            code[place] = entry[0] >> place & 1 ? ones : zeros;
        row_bias(code, row);
        int64_t row_sum[LANES];
        numbers(row, ROW_BITS, row_sum);
        const int64_t constant = row_sum[0] * ROW_SCALE;
        for (int block = 0; block < BLOCKS; ++block) {
            Word in[ACTIVATION_BITS + WEIGHT_CODE_BITS], out[OUT_BITS];
            for (int place = 0; place < ACTIVATION_BITS; ++place) in[place] = code[place];
            for (int place = 0; place < WEIGHT_CODE_BITS; ++place)
                in[ACTIVATION_BITS + place] = codes[(size_t)block * WEIGHT_CODE_BITS + place];
            step(in, out);
            int64_t sums[LANES];
            numbers(out, OUT_BITS, sums);
            if (SIGNED)
                for (int64_t& sum : sums)
                    sum = (int64_t)((uint64_t)sum << (64 - OUT_BITS)) >> (64 - OUT_BITS);
            int64_t wrong = 0;
            const int at = block * LANES;
            for (int lane = 0; lane < LANES; ++lane) {
                const int64_t expected = entry[1] * first[at + lane] +
                                         entry[2] * second[at + lane] + constant + bias[at + lane];
                wrong |= (sums[lane] ^ expected) | outside(expected);
            }
            if (wrong) {
                for (int lane = 0; lane < LANES; ++lane) {
                    const int64_t expected = entry[1] * first[at + lane] +
                                             entry[2] * second[at + lane] + constant +
                                             bias[at + lane];
                    if (sums[lane] == expected && !outside(expected)) continue;
                    std::printf("wrong %lld %d %lld %lld\n", (long long)entry[0],
                                (at + lane) % TOTAL, (long long)expected, (long long)sums[lane]);
                    return 0;
                }
            }
            checked += TOTAL < LANES ? TOTAL : LANES;
        }
    }
    std::printf("checked %llu\n", (unsigned long long)checked);
    return 0;
}
