/*
 * Driver of the SPARQ matrix engine: C99 and C++, one header, no memory of its own.
 *
 * A struct sparq_engine says how registers are reached; every function takes one. Functions that
 * can fail return an enum sparq_engine_result, which is 0 if they did not.
 *
 *     struct sparq_engine engine = {my_read32, my_write32, my_context};
 *     if (sparq_engine_check(&engine, hash) == SPARQ_ENGINE_OK) {
 *       sparq_engine_enable(&engine, 1);
 *       sparq_engine_start(&engine, &command);
 *       sparq_engine_wait_idle(&engine, 1000000);
 *     }
 *
 * The sparq_engine_pack functions write a slice, all of its words, as it lies in memory: its first
 * byte at the lowest address.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SPARQ_ENGINE_H
#define SPARQ_ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* Registers: offsets in bytes, and of each field its place and its bits in the word. */
/* Begin of what the table of registers says. */
#define SPARQ_ENGINE_IDENTIFICATION_OFFSET 0x00u
#define SPARQ_ENGINE_IDENTIFICATION_VALUE_SHIFT 0
#define SPARQ_ENGINE_IDENTIFICATION_VALUE_MASK 0xffffffffu
#define SPARQ_ENGINE_VERSION_OFFSET 0x04u
#define SPARQ_ENGINE_VERSION_PATCH_SHIFT 0
#define SPARQ_ENGINE_VERSION_PATCH_MASK 0xffu
#define SPARQ_ENGINE_VERSION_MINOR_SHIFT 8
#define SPARQ_ENGINE_VERSION_MINOR_MASK 0xff00u
#define SPARQ_ENGINE_VERSION_MAJOR_SHIFT 16
#define SPARQ_ENGINE_VERSION_MAJOR_MASK 0xff0000u
#define SPARQ_ENGINE_HASH_HIGH_OFFSET 0x08u
#define SPARQ_ENGINE_HASH_HIGH_VALUE_SHIFT 0
#define SPARQ_ENGINE_HASH_HIGH_VALUE_MASK 0xffffffffu
#define SPARQ_ENGINE_HASH_LOW_OFFSET 0x0cu
#define SPARQ_ENGINE_HASH_LOW_VALUE_SHIFT 0
#define SPARQ_ENGINE_HASH_LOW_VALUE_MASK 0xffffffffu
#define SPARQ_ENGINE_SIZE_OFFSET 0x10u
#define SPARQ_ENGINE_SIZE_ROWS_SHIFT 0
#define SPARQ_ENGINE_SIZE_ROWS_MASK 0xffffu
#define SPARQ_ENGINE_SIZE_COLS_SHIFT 16
#define SPARQ_ENGINE_SIZE_COLS_MASK 0xffff0000u
#define SPARQ_ENGINE_WIDTHS_OFFSET 0x14u
#define SPARQ_ENGINE_WIDTHS_K_PER_CYCLE_SHIFT 0
#define SPARQ_ENGINE_WIDTHS_K_PER_CYCLE_MASK 0xffu
#define SPARQ_ENGINE_WIDTHS_WEIGHT_BITS_SHIFT 8
#define SPARQ_ENGINE_WIDTHS_WEIGHT_BITS_MASK 0xff00u
#define SPARQ_ENGINE_WIDTHS_ACC_BITS_SHIFT 16
#define SPARQ_ENGINE_WIDTHS_ACC_BITS_MASK 0xff0000u
#define SPARQ_ENGINE_WIDTHS_PLANES_SHIFT 24
#define SPARQ_ENGINE_WIDTHS_PLANES_MASK 0xff000000u
#define SPARQ_ENGINE_FORMAT_OFFSET 0x18u
#define SPARQ_ENGINE_FORMAT_WINDOW_BITS_SHIFT 0
#define SPARQ_ENGINE_FORMAT_WINDOW_BITS_MASK 0xfu
#define SPARQ_ENGINE_FORMAT_ROUNDING_SHIFT 4
#define SPARQ_ENGINE_FORMAT_ROUNDING_MASK 0x10u
#define SPARQ_ENGINE_FORMAT_VSPARQ_SHIFT 5
#define SPARQ_ENGINE_FORMAT_VSPARQ_MASK 0x20u
#define SPARQ_ENGINE_FORMAT_ENCODED_INPUT_SHIFT 6
#define SPARQ_ENGINE_FORMAT_ENCODED_INPUT_MASK 0x40u
#define SPARQ_ENGINE_FORMAT_ENCODED_OUTPUT_SHIFT 7
#define SPARQ_ENGINE_FORMAT_ENCODED_OUTPUT_MASK 0x80u
#define SPARQ_ENGINE_FORMAT_GROUP_SHIFT 8
#define SPARQ_ENGINE_FORMAT_GROUP_MASK 0x1f00u
#define SPARQ_ENGINE_FORMAT_SIGNS_SHIFT 13
#define SPARQ_ENGINE_FORMAT_SIGNS_MASK 0x2000u
#define SPARQ_ENGINE_FORMAT_AFFINE_SHIFT 14
#define SPARQ_ENGINE_FORMAT_AFFINE_MASK 0x4000u
#define SPARQ_ENGINE_FORMAT_SHIFTS_SHIFT 16
#define SPARQ_ENGINE_FORMAT_SHIFTS_MASK 0xff0000u
#define SPARQ_ENGINE_FORMAT_PAIR_BITS_SHIFT 24
#define SPARQ_ENGINE_FORMAT_PAIR_BITS_MASK 0xff000000u
#define SPARQ_ENGINE_BUFFERS_OFFSET 0x1cu
#define SPARQ_ENGINE_BUFFERS_WEIGHT_DEPTH_SHIFT 0
#define SPARQ_ENGINE_BUFFERS_WEIGHT_DEPTH_MASK 0xffffu
#define SPARQ_ENGINE_BUFFERS_LANES_SHIFT 16
#define SPARQ_ENGINE_BUFFERS_LANES_MASK 0xffff0000u
#define SPARQ_ENGINE_QUEUES_OFFSET 0x20u
#define SPARQ_ENGINE_QUEUES_COMMAND_DEPTH_SHIFT 0
#define SPARQ_ENGINE_QUEUES_COMMAND_DEPTH_MASK 0xffu
#define SPARQ_ENGINE_QUEUES_RESULT_TILES_SHIFT 8
#define SPARQ_ENGINE_QUEUES_RESULT_TILES_MASK 0xff00u
#define SPARQ_ENGINE_QUEUES_STREAM_BITS_SHIFT 16
#define SPARQ_ENGINE_QUEUES_STREAM_BITS_MASK 0xffff0000u
#define SPARQ_ENGINE_CONTROL_OFFSET 0x24u
#define SPARQ_ENGINE_CONTROL_ENABLE_SHIFT 0
#define SPARQ_ENGINE_CONTROL_ENABLE_MASK 0x1u
#define SPARQ_ENGINE_CONTROL_SOFT_RESET_SHIFT 1
#define SPARQ_ENGINE_CONTROL_SOFT_RESET_MASK 0x2u
#define SPARQ_ENGINE_STATUS_OFFSET 0x28u
#define SPARQ_ENGINE_STATUS_IDLE_SHIFT 0
#define SPARQ_ENGINE_STATUS_IDLE_MASK 0x1u
#define SPARQ_ENGINE_STATUS_COMMAND_FULL_SHIFT 1
#define SPARQ_ENGINE_STATUS_COMMAND_FULL_MASK 0x2u
#define SPARQ_ENGINE_STATUS_COMMANDS_WAITING_SHIFT 8
#define SPARQ_ENGINE_STATUS_COMMANDS_WAITING_MASK 0xff00u
#define SPARQ_ENGINE_ERROR_OFFSET 0x2cu
#define SPARQ_ENGINE_ERROR_CODE_SHIFT 0
#define SPARQ_ENGINE_ERROR_CODE_MASK 0xffu
#define SPARQ_ENGINE_INTERRUPT_OFFSET 0x30u
#define SPARQ_ENGINE_INTERRUPT_DONE_SHIFT 0
#define SPARQ_ENGINE_INTERRUPT_DONE_MASK 0x1u
#define SPARQ_ENGINE_INTERRUPT_ERROR_SHIFT 1
#define SPARQ_ENGINE_INTERRUPT_ERROR_MASK 0x2u
#define SPARQ_ENGINE_INTERRUPT_ENABLE_OFFSET 0x34u
#define SPARQ_ENGINE_INTERRUPT_ENABLE_DONE_SHIFT 0
#define SPARQ_ENGINE_INTERRUPT_ENABLE_DONE_MASK 0x1u
#define SPARQ_ENGINE_INTERRUPT_ENABLE_ERROR_SHIFT 1
#define SPARQ_ENGINE_INTERRUPT_ENABLE_ERROR_MASK 0x2u
#define SPARQ_ENGINE_COMPLETED_OFFSET 0x38u
#define SPARQ_ENGINE_COMPLETED_COUNT_SHIFT 0
#define SPARQ_ENGINE_COMPLETED_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_TILES_M_OFFSET 0x40u
#define SPARQ_ENGINE_TILES_M_COUNT_SHIFT 0
#define SPARQ_ENGINE_TILES_M_COUNT_MASK 0xffffu
#define SPARQ_ENGINE_TILES_N_OFFSET 0x44u
#define SPARQ_ENGINE_TILES_N_COUNT_SHIFT 0
#define SPARQ_ENGINE_TILES_N_COUNT_MASK 0xffffu
#define SPARQ_ENGINE_DEPTH_OFFSET 0x48u
#define SPARQ_ENGINE_DEPTH_SLICES_SHIFT 0
#define SPARQ_ENGINE_DEPTH_SLICES_MASK 0xffffu
#define SPARQ_ENGINE_MODE_OFFSET 0x4cu
#define SPARQ_ENGINE_MODE_EXACT_SHIFT 0
#define SPARQ_ENGINE_MODE_EXACT_MASK 0x1u
#define SPARQ_ENGINE_MODE_SUMS_SHIFT 1
#define SPARQ_ENGINE_MODE_SUMS_MASK 0x2u
#define SPARQ_ENGINE_MODE_ENCODED_SHIFT 2
#define SPARQ_ENGINE_MODE_ENCODED_MASK 0x4u
#define SPARQ_ENGINE_START_OFFSET 0x50u
#define SPARQ_ENGINE_START_START_SHIFT 0
#define SPARQ_ENGINE_START_START_MASK 0x1u
#define SPARQ_ENGINE_ZERO_POINT_OFFSET 0x54u
#define SPARQ_ENGINE_ZERO_POINT_VALUE_SHIFT 0
#define SPARQ_ENGINE_ZERO_POINT_VALUE_MASK 0xffu
#define SPARQ_ENGINE_COUNTER_CONTROL_OFFSET 0x60u
#define SPARQ_ENGINE_COUNTER_CONTROL_FREEZE_SHIFT 0
#define SPARQ_ENGINE_COUNTER_CONTROL_FREEZE_MASK 0x1u
#define SPARQ_ENGINE_COUNTER_CONTROL_CLEAR_SHIFT 1
#define SPARQ_ENGINE_COUNTER_CONTROL_CLEAR_MASK 0x2u
#define SPARQ_ENGINE_CYCLES_LOW_OFFSET 0x80u
#define SPARQ_ENGINE_CYCLES_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_CYCLES_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_CYCLES_HIGH_OFFSET 0x84u
#define SPARQ_ENGINE_CYCLES_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_CYCLES_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_BUSY_LOW_OFFSET 0x88u
#define SPARQ_ENGINE_BUSY_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_BUSY_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_BUSY_HIGH_OFFSET 0x8cu
#define SPARQ_ENGINE_BUSY_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_BUSY_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_LOW_OFFSET 0x90u
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_HIGH_OFFSET 0x94u
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_ACTIVATIONS_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_WEIGHTS_LOW_OFFSET 0x98u
#define SPARQ_ENGINE_WAIT_WEIGHTS_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_WEIGHTS_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_WEIGHTS_HIGH_OFFSET 0x9cu
#define SPARQ_ENGINE_WAIT_WEIGHTS_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_WEIGHTS_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_OUTPUT_LOW_OFFSET 0xa0u
#define SPARQ_ENGINE_WAIT_OUTPUT_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_OUTPUT_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_WAIT_OUTPUT_HIGH_OFFSET 0xa4u
#define SPARQ_ENGINE_WAIT_OUTPUT_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_WAIT_OUTPUT_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_PAIRS_LOW_OFFSET 0xa8u
#define SPARQ_ENGINE_PAIRS_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_PAIRS_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_PAIRS_HIGH_OFFSET 0xacu
#define SPARQ_ENGINE_PAIRS_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_PAIRS_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_LOW_OFFSET 0xb0u
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_HIGH_OFFSET 0xb4u
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_PAIRS_WITH_ZERO_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_ZERO_PAIRS_LOW_OFFSET 0xb8u
#define SPARQ_ENGINE_ZERO_PAIRS_LOW_COUNT_SHIFT 0
#define SPARQ_ENGINE_ZERO_PAIRS_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ENGINE_ZERO_PAIRS_HIGH_OFFSET 0xbcu
#define SPARQ_ENGINE_ZERO_PAIRS_HIGH_COUNT_SHIFT 0
#define SPARQ_ENGINE_ZERO_PAIRS_HIGH_COUNT_MASK 0xffffffffu
/* End of what the table of registers says. */

#define SPARQ_ENGINE_IDENTIFICATION 0x53505251u

/* How a function ended. */
enum sparq_engine_result {
  SPARQ_ENGINE_OK = 0,
  SPARQ_ENGINE_NOT_FOUND = 1,   /* no SPARQ engine answers */
  SPARQ_ENGINE_WRONG_HASH = 2,  /* an engine of another configuration answers */
  SPARQ_ENGINE_FULL = 3,        /* the command queue is full: nothing was started */
  SPARQ_ENGINE_TIMEOUT = 4,     /* the limit of polls was reached */
  SPARQ_ENGINE_BAD_ARGUMENT = 5 /* what is to be packed or started is not what the engine takes */
};

/* What the register ERROR reads as. */
enum sparq_engine_error {
  SPARQ_ENGINE_NO_ERROR = 0,
  SPARQ_ENGINE_ERROR_NO_TILES = 1,
  SPARQ_ENGINE_ERROR_DEPTH = 2,
  SPARQ_ENGINE_ERROR_NO_EXACT_MODE = 3,
  SPARQ_ENGINE_ERROR_QUEUE_FULL = 4,
  SPARQ_ENGINE_ERROR_NO_ENCODED_OUTPUT = 5,
  SPARQ_ENGINE_ERROR_ZERO_POINT = 6
};

/* The 64-bit counters. */
enum sparq_engine_counter {
  SPARQ_ENGINE_COUNTER_CYCLES = 0,
  SPARQ_ENGINE_COUNTER_BUSY = 1,
  SPARQ_ENGINE_COUNTER_WAIT_ACTIVATIONS = 2,
  SPARQ_ENGINE_COUNTER_WAIT_WEIGHTS = 3,
  SPARQ_ENGINE_COUNTER_WAIT_OUTPUT = 4,
  SPARQ_ENGINE_COUNTER_PAIRS = 5,
  SPARQ_ENGINE_COUNTER_PAIRS_WITH_ZERO = 6,
  SPARQ_ENGINE_COUNTER_ZERO_PAIRS = 7,
  SPARQ_ENGINE_COUNTERS = 8
};

/* How registers are reached: 32-bit accesses at an offset in bytes. */
struct sparq_engine {
  uint32_t (*read32)(void *context, uint32_t offset);
  void (*write32)(void *context, uint32_t offset, uint32_t value);
  void *context;
};

/* What an engine is. */
struct sparq_engine_shape {
  uint32_t rows, cols, k_per_cycle, weight_bits, acc_bits;
  uint32_t planes;       /* passes of the exact mode; 0: there is none */
  uint32_t weight_depth; /* slices of buffered weights; 0: there is no buffer */
  uint32_t lanes, command_depth, result_tiles;
  uint32_t stream_bits; /* of a word of a stream; 0: as many as what it carries has */
  uint32_t encoded_input;  /* not 0: activations come as stored pairs, not as bytes */
  uint32_t encoded_output; /* not 0: results can leave as stored pairs */
  uint32_t pair_bits;      /* of a stored pair; 0: there are none */
  uint32_t has_zero_point; /* not 0: activations are signed, and come as bytes less a zero point */
};

/* A product of tiles_m x tiles_n tiles, each of so many slices. */
struct sparq_engine_command {
  uint16_t tiles_m, tiles_n, slices;
  int exact; /* not 0: the exact product, in more passes than one */
  int sums;  /* not 0: sums leave as they are, not requantized */
  int encoded; /* not 0: results leave as stored pairs */
  uint8_t zero_point; /* what stands for 0 in bytes of signed activations; 0 of all others */
};

/* How the sums of a column become bytes. */
struct sparq_engine_column {
  int32_t bias;
  uint16_t multiplier; /* 15 bits */
  uint8_t shift;       /* at most 46 */
  uint8_t zero_point, low, high; /* low is at most high */
};

static inline uint32_t sparq_engine_read(const struct sparq_engine *engine, uint32_t offset) {
  return engine->read32(engine->context, offset);
}

static inline void sparq_engine_write(const struct sparq_engine *engine, uint32_t offset,
                                      uint32_t value) {
  engine->write32(engine->context, offset, value);
}

/* The bits of a field of a register. */
static inline uint32_t sparq_engine_field(const struct sparq_engine *engine, uint32_t offset,
                                          uint32_t mask, unsigned shift) {
  return (sparq_engine_read(engine, offset) & mask) >> shift;
}

/* The hash of the configuration. */
static inline uint64_t sparq_engine_hash(const struct sparq_engine *engine) {
  uint64_t high = sparq_engine_read(engine, SPARQ_ENGINE_HASH_HIGH_OFFSET);
  return high << 32 | sparq_engine_read(engine, SPARQ_ENGINE_HASH_LOW_OFFSET);
}

/* Whether an engine of the configuration with this hash answers. */
static inline enum sparq_engine_result sparq_engine_check(const struct sparq_engine *engine,
                                                          uint64_t hash) {
  uint32_t found = sparq_engine_read(engine, SPARQ_ENGINE_IDENTIFICATION_OFFSET);
  if (found != SPARQ_ENGINE_IDENTIFICATION) return SPARQ_ENGINE_NOT_FOUND;
  return sparq_engine_hash(engine) == hash ? SPARQ_ENGINE_OK : SPARQ_ENGINE_WRONG_HASH;
}

/* Whether a register FORMAT says that commands have a zero point: signed activations, as bytes. */
static inline int sparq_engine_has_zero_point(uint32_t format) {
  return (format & SPARQ_ENGINE_FORMAT_SIGNS_MASK) &&
         !(format & SPARQ_ENGINE_FORMAT_ENCODED_INPUT_MASK);
}

/* What the engine says that it is. */
static inline struct sparq_engine_shape sparq_engine_read_shape(const struct sparq_engine *engine) {
  uint32_t size = sparq_engine_read(engine, SPARQ_ENGINE_SIZE_OFFSET);
  uint32_t widths = sparq_engine_read(engine, SPARQ_ENGINE_WIDTHS_OFFSET);
  uint32_t buffers = sparq_engine_read(engine, SPARQ_ENGINE_BUFFERS_OFFSET);
  uint32_t queues = sparq_engine_read(engine, SPARQ_ENGINE_QUEUES_OFFSET);
  uint32_t format = sparq_engine_read(engine, SPARQ_ENGINE_FORMAT_OFFSET);
  struct sparq_engine_shape shape;
  shape.rows = (size & SPARQ_ENGINE_SIZE_ROWS_MASK) >> SPARQ_ENGINE_SIZE_ROWS_SHIFT;
  shape.cols = (size & SPARQ_ENGINE_SIZE_COLS_MASK) >> SPARQ_ENGINE_SIZE_COLS_SHIFT;
  shape.k_per_cycle =
      (widths & SPARQ_ENGINE_WIDTHS_K_PER_CYCLE_MASK) >> SPARQ_ENGINE_WIDTHS_K_PER_CYCLE_SHIFT;
  shape.weight_bits =
      (widths & SPARQ_ENGINE_WIDTHS_WEIGHT_BITS_MASK) >> SPARQ_ENGINE_WIDTHS_WEIGHT_BITS_SHIFT;
  shape.acc_bits =
      (widths & SPARQ_ENGINE_WIDTHS_ACC_BITS_MASK) >> SPARQ_ENGINE_WIDTHS_ACC_BITS_SHIFT;
  shape.planes = (widths & SPARQ_ENGINE_WIDTHS_PLANES_MASK) >> SPARQ_ENGINE_WIDTHS_PLANES_SHIFT;
  shape.weight_depth =
      (buffers & SPARQ_ENGINE_BUFFERS_WEIGHT_DEPTH_MASK) >> SPARQ_ENGINE_BUFFERS_WEIGHT_DEPTH_SHIFT;
  shape.lanes = (buffers & SPARQ_ENGINE_BUFFERS_LANES_MASK) >> SPARQ_ENGINE_BUFFERS_LANES_SHIFT;
  shape.command_depth =
      (queues & SPARQ_ENGINE_QUEUES_COMMAND_DEPTH_MASK) >> SPARQ_ENGINE_QUEUES_COMMAND_DEPTH_SHIFT;
  shape.result_tiles =
      (queues & SPARQ_ENGINE_QUEUES_RESULT_TILES_MASK) >> SPARQ_ENGINE_QUEUES_RESULT_TILES_SHIFT;
  shape.stream_bits =
      (queues & SPARQ_ENGINE_QUEUES_STREAM_BITS_MASK) >> SPARQ_ENGINE_QUEUES_STREAM_BITS_SHIFT;
  shape.encoded_input =
      (format & SPARQ_ENGINE_FORMAT_ENCODED_INPUT_MASK) >> SPARQ_ENGINE_FORMAT_ENCODED_INPUT_SHIFT;
  shape.encoded_output = (format & SPARQ_ENGINE_FORMAT_ENCODED_OUTPUT_MASK) >>
                         SPARQ_ENGINE_FORMAT_ENCODED_OUTPUT_SHIFT;
  shape.pair_bits =
      (format & SPARQ_ENGINE_FORMAT_PAIR_BITS_MASK) >> SPARQ_ENGINE_FORMAT_PAIR_BITS_SHIFT;
  shape.has_zero_point = (uint32_t)sparq_engine_has_zero_point(format);
  return shape;
}

/* Bytes that a slice of so many bytes takes in its stream, or what the lanes give: whole words. */
static inline size_t sparq_engine_stream_bytes(const struct sparq_engine_shape *shape,
                                               size_t bytes) {
  size_t word = shape->stream_bits / 8u;
  return word ? (bytes + word - 1u) / word * word : bytes;
}

/*
 * Bytes of the packet in which the results of a command leave: what is behind the last stored pair
 * and what fills words up included. Of a command that the engine takes.
 */
static inline uint64_t sparq_engine_result_bytes(const struct sparq_engine_shape *shape,
                                                 const struct sparq_engine_command *command) {
  /* Parts of rows, each of as many results as there are lanes: a byte of each is a word. */
  uint64_t words = (uint64_t)command->tiles_m * command->tiles_n * shape->rows *
                   (shape->cols / shape->lanes);
  if (command->sums) words *= 4u;
  if (command->encoded) words = (words * shape->pair_bits + 15u) / 16u;
  return words * sparq_engine_stream_bytes(shape, shape->lanes);
}

/* Commands are executed from now on, or not. */
static inline void sparq_engine_enable(const struct sparq_engine *engine, int on) {
  sparq_engine_write(engine, SPARQ_ENGINE_CONTROL_OFFSET,
                     on ? SPARQ_ENGINE_CONTROL_ENABLE_MASK : 0u);
}

/* Empties the engine; what is enabled stays so. */
static inline void sparq_engine_soft_reset(const struct sparq_engine *engine) {
  uint32_t control = sparq_engine_read(engine, SPARQ_ENGINE_CONTROL_OFFSET);
  sparq_engine_write(engine, SPARQ_ENGINE_CONTROL_OFFSET,
                     control | SPARQ_ENGINE_CONTROL_SOFT_RESET_MASK);
}

/* Puts a command into the queue, unless that is full, or the engine has no zero points. */
static inline enum sparq_engine_result sparq_engine_start(
    const struct sparq_engine *engine, const struct sparq_engine_command *command) {
  uint32_t status = sparq_engine_read(engine, SPARQ_ENGINE_STATUS_OFFSET);
  uint32_t format = sparq_engine_read(engine, SPARQ_ENGINE_FORMAT_OFFSET);
  uint32_t mode = (command->exact ? SPARQ_ENGINE_MODE_EXACT_MASK : 0u) |
                  (command->sums ? SPARQ_ENGINE_MODE_SUMS_MASK : 0u) |
                  (command->encoded ? SPARQ_ENGINE_MODE_ENCODED_MASK : 0u);
  if (command->zero_point && !sparq_engine_has_zero_point(format)) {
    return SPARQ_ENGINE_BAD_ARGUMENT;
  }
  if (status & SPARQ_ENGINE_STATUS_COMMAND_FULL_MASK) return SPARQ_ENGINE_FULL;
  sparq_engine_write(engine, SPARQ_ENGINE_TILES_M_OFFSET, command->tiles_m);
  sparq_engine_write(engine, SPARQ_ENGINE_TILES_N_OFFSET, command->tiles_n);
  sparq_engine_write(engine, SPARQ_ENGINE_DEPTH_OFFSET, command->slices);
  sparq_engine_write(engine, SPARQ_ENGINE_MODE_OFFSET, mode);
  if (sparq_engine_has_zero_point(format)) {
    sparq_engine_write(engine, SPARQ_ENGINE_ZERO_POINT_OFFSET, command->zero_point);
  }
  sparq_engine_write(engine, SPARQ_ENGINE_START_OFFSET, SPARQ_ENGINE_START_START_MASK);
  return SPARQ_ENGINE_OK;
}

/* Polls at most so many times, until no command is under way or waits. */
static inline enum sparq_engine_result sparq_engine_wait_idle(const struct sparq_engine *engine,
                                                              uint32_t polls) {
  for (; polls; --polls) {
    uint32_t status = sparq_engine_read(engine, SPARQ_ENGINE_STATUS_OFFSET);
    if (status & SPARQ_ENGINE_STATUS_IDLE_MASK) return SPARQ_ENGINE_OK;
  }
  return SPARQ_ENGINE_TIMEOUT;
}

/* How many commands were completed, modulo 2**32. */
static inline uint32_t sparq_engine_completed(const struct sparq_engine *engine) {
  return sparq_engine_read(engine, SPARQ_ENGINE_COMPLETED_OFFSET);
}

/* Polls at most so many times, until that many commands were completed, also past 2**32. */
static inline enum sparq_engine_result sparq_engine_wait_completed(
    const struct sparq_engine *engine, uint32_t completed, uint32_t polls) {
  for (; polls; --polls) {
    if (sparq_engine_completed(engine) - completed < 0x80000000u) return SPARQ_ENGINE_OK;
  }
  return SPARQ_ENGINE_TIMEOUT;
}

/* The first error since it was cleared: an enum sparq_engine_error. */
static inline uint32_t sparq_engine_error(const struct sparq_engine *engine) {
  return sparq_engine_field(engine, SPARQ_ENGINE_ERROR_OFFSET, SPARQ_ENGINE_ERROR_CODE_MASK,
                            SPARQ_ENGINE_ERROR_CODE_SHIFT);
}

static inline void sparq_engine_clear_error(const struct sparq_engine *engine) {
  sparq_engine_write(engine, SPARQ_ENGINE_ERROR_OFFSET, SPARQ_ENGINE_ERROR_CODE_MASK);
}

/* Interrupts are bits of SPARQ_ENGINE_INTERRUPT_DONE_MASK and SPARQ_ENGINE_INTERRUPT_ERROR_MASK. */
static inline uint32_t sparq_engine_interrupts(const struct sparq_engine *engine) {
  return sparq_engine_read(engine, SPARQ_ENGINE_INTERRUPT_OFFSET);
}

static inline void sparq_engine_clear_interrupts(const struct sparq_engine *engine,
                                                 uint32_t interrupts) {
  sparq_engine_write(engine, SPARQ_ENGINE_INTERRUPT_OFFSET, interrupts);
}

/* These interrupts are raised from now on, and no others. */
static inline void sparq_engine_enable_interrupts(const struct sparq_engine *engine,
                                                  uint32_t interrupts) {
  sparq_engine_write(engine, SPARQ_ENGINE_INTERRUPT_ENABLE_OFFSET, interrupts);
}

/* The counters stand still from now on, or not. */
static inline void sparq_engine_freeze_counters(const struct sparq_engine *engine, int on) {
  sparq_engine_write(engine, SPARQ_ENGINE_COUNTER_CONTROL_OFFSET,
                     on ? SPARQ_ENGINE_COUNTER_CONTROL_FREEZE_MASK : 0u);
}

/* The counters start again from 0; if they stand still, they stay so. */
static inline void sparq_engine_clear_counters(const struct sparq_engine *engine) {
  uint32_t control = sparq_engine_read(engine, SPARQ_ENGINE_COUNTER_CONTROL_OFFSET);
  sparq_engine_write(engine, SPARQ_ENGINE_COUNTER_CONTROL_OFFSET,
                     control | SPARQ_ENGINE_COUNTER_CONTROL_CLEAR_MASK);
}

/* A counter, also while it counts: its high half is the same before and after its low one. */
static inline uint64_t sparq_engine_counter(const struct sparq_engine *engine,
                                            enum sparq_engine_counter counter) {
  uint32_t offset = SPARQ_ENGINE_CYCLES_LOW_OFFSET + 8u * (uint32_t)counter;
  uint32_t low, before, high = sparq_engine_read(engine, offset + 4u);
  do {
    before = high;
    low = sparq_engine_read(engine, offset);
    high = sparq_engine_read(engine, offset + 4u);
  } while (high != before);
  return (uint64_t)high << 32 | low;
}

/* All counters of one moment; what was counted while they are read is lost. */
static inline void sparq_engine_counters(const struct sparq_engine *engine,
                                         uint64_t counters[SPARQ_ENGINE_COUNTERS]) {
  uint32_t control = sparq_engine_read(engine, SPARQ_ENGINE_COUNTER_CONTROL_OFFSET);
  int index;
  sparq_engine_freeze_counters(engine, 1);
  for (index = 0; index < SPARQ_ENGINE_COUNTERS; ++index) {
    counters[index] = sparq_engine_counter(engine, (enum sparq_engine_counter)index);
  }
  sparq_engine_write(engine, SPARQ_ENGINE_COUNTER_CONTROL_OFFSET, control);
}

/*
 * A slice of activations, `bytes` bytes, of an engine without encoded input: tile row r and step s
 * at byte r * shape->k_per_cycle + s. They are x[r * stride + s] for r below `rows` and s below
 * `steps`; all else is `zero_point`, that of the command, so that it stands for 0.
 */
static inline enum sparq_engine_result sparq_engine_pack_affine_activations(
    uint8_t *slice, size_t bytes, const struct sparq_engine_shape *shape, const uint8_t *x,
    size_t stride, uint32_t rows, uint32_t steps, uint8_t zero_point) {
  uint32_t row, step;
  size_t index;
  if (shape->encoded_input || rows > shape->rows || steps > shape->k_per_cycle ||
      bytes < (size_t)shape->rows * shape->k_per_cycle ||
      (zero_point && !shape->has_zero_point)) {
    return SPARQ_ENGINE_BAD_ARGUMENT;
  }
  for (index = 0; index < bytes; ++index) slice[index] = zero_point;
  for (row = 0; row < rows; ++row) {
    for (step = 0; step < steps; ++step) {
      slice[(size_t)row * shape->k_per_cycle + step] = x[row * stride + step];
    }
  }
  return SPARQ_ENGINE_OK;
}

/* The same where 0 stands for 0: of unsigned activations, and of signed ones in two's complement. */
static inline enum sparq_engine_result sparq_engine_pack_activations(
    uint8_t *slice, size_t bytes, const struct sparq_engine_shape *shape, const uint8_t *x,
    size_t stride, uint32_t rows, uint32_t steps) {
  return sparq_engine_pack_affine_activations(slice, bytes, shape, x, stride, rows, steps, 0);
}

/* The stored pair at a place of a packet of results, whose words have no gaps; the first is 0. */
static inline uint32_t sparq_engine_unpack_pair(const uint8_t *packet, size_t place,
                                                const struct sparq_engine_shape *shape) {
  size_t bit = place * shape->pair_bits;
  uint32_t index, pair = 0;
  for (index = 0; index < shape->pair_bits; ++index, ++bit) {
    pair |= ((uint32_t)packet[bit / 8u] >> (bit % 8u) & 1u) << index;
  }
  return pair;
}

/*
 * A slice of activations, `bytes` bytes, of an engine with encoded input: tile row r and pair p at
 * bit (r * shape->k_per_cycle / 2 + p) * shape->pair_bits. They are the stored pairs
 * x[r * stride + p] for r below `rows` and p below `pairs`; all else is 0, a pair of zeros.
 */
static inline enum sparq_engine_result sparq_engine_pack_pairs(
    uint8_t *slice, size_t bytes, const struct sparq_engine_shape *shape, const uint32_t *x,
    size_t stride, uint32_t rows, uint32_t pairs) {
  uint32_t row, pair, bit, per_row = shape->k_per_cycle / 2u;
  size_t index, bits = (size_t)shape->rows * per_row * shape->pair_bits;
  if (!shape->encoded_input || rows > shape->rows || pairs > per_row ||
      bytes < (bits + 7u) / 8u || shape->pair_bits < 1u || shape->pair_bits > 31u) {
    return SPARQ_ENGINE_BAD_ARGUMENT;
  }
  for (index = 0; index < bytes; ++index) slice[index] = 0;
  for (row = 0; row < rows; ++row) {
    for (pair = 0; pair < pairs; ++pair) {
      uint32_t stored = x[row * stride + pair];
      size_t place = ((size_t)row * per_row + pair) * shape->pair_bits;
      if (stored >> shape->pair_bits) return SPARQ_ENGINE_BAD_ARGUMENT;
      for (bit = 0; bit < shape->pair_bits; ++bit, ++place) {
        slice[place / 8u] = (uint8_t)(slice[place / 8u] | (stored >> bit & 1u) << (place % 8u));
      }
    }
  }
  return SPARQ_ENGINE_OK;
}

/*
 * A slice of weights, `bytes` bytes: column c and step s as a two's complement number of
 * shape->weight_bits bits, at bit (c * shape->k_per_cycle + s) * shape->weight_bits. They are
 * w[s * stride + c] for s below `steps` and c below `cols`; all else is 0.
 */
static inline enum sparq_engine_result sparq_engine_pack_weights(
    uint8_t *slice, size_t bytes, const struct sparq_engine_shape *shape, const int8_t *w,
    size_t stride, uint32_t cols, uint32_t steps) {
  uint32_t column, step, bit;
  size_t index, bits = (size_t)shape->cols * shape->k_per_cycle * shape->weight_bits;
  int limit;
  if (cols > shape->cols || steps > shape->k_per_cycle || bytes < (bits + 7u) / 8u ||
      shape->weight_bits < 1u || shape->weight_bits > 8u) {
    return SPARQ_ENGINE_BAD_ARGUMENT;
  }
  limit = 1 << (shape->weight_bits - 1u);
  for (index = 0; index < bytes; ++index) slice[index] = 0;
  for (column = 0; column < cols; ++column) {
    for (step = 0; step < steps; ++step) {
      int weight = w[step * stride + column];
      size_t place = ((size_t)column * shape->k_per_cycle + step) * shape->weight_bits;
      if (weight < -limit || weight >= limit) return SPARQ_ENGINE_BAD_ARGUMENT;
      for (bit = 0; bit < shape->weight_bits; ++bit, ++place) {
        unsigned value = ((unsigned)weight >> bit & 1u) << (place % 8u);
        slice[place / 8u] = (uint8_t)(slice[place / 8u] | value);
      }
    }
  }
  return SPARQ_ENGINE_OK;
}

/* 32 bits, the lowest byte first. */
static inline void sparq_engine_pack_word(uint8_t *bytes, uint32_t word) {
  unsigned index;
  for (index = 0; index < 4u; ++index) bytes[index] = (uint8_t)(word >> (8u * index));
}

#define SPARQ_ENGINE_COLUMN_BYTES 12u
#define SPARQ_ENGINE_MAX_MULTIPLIER 0x7fffu
#define SPARQ_ENGINE_MAX_SHIFT 46u

/*
 * The parameters of a column, SPARQ_ENGINE_COLUMN_BYTES bytes, three words: bias; multiplier from
 * bit 0 and shift from bit 16; zero_point from bit 0, low from bit 8, high from bit 16.
 */
static inline enum sparq_engine_result sparq_engine_pack_column(
    uint8_t *bytes, const struct sparq_engine_column *column) {
  if (column->multiplier > SPARQ_ENGINE_MAX_MULTIPLIER ||
      column->shift > SPARQ_ENGINE_MAX_SHIFT || column->low > column->high) {
    return SPARQ_ENGINE_BAD_ARGUMENT;
  }
  sparq_engine_pack_word(bytes, (uint32_t)column->bias);
  sparq_engine_pack_word(bytes + 4, column->multiplier | (uint32_t)column->shift << 16);
  sparq_engine_pack_word(bytes + 8, column->zero_point | (uint32_t)column->low << 8 |
                                        (uint32_t)column->high << 16);
  return SPARQ_ENGINE_OK;
}

#endif
