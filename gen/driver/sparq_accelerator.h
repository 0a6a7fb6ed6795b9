/*
 * Driver of the SPARQ accelerator: C99 and C++, one header, no memory of its own.
 *
 * A struct sparq_accelerator says how registers are reached; every function takes one.
 *
 *     struct sparq_accelerator accelerator = {my_read32, my_write32, my_context};
 *     if (sparq_accelerator_check(&accelerator, hash) == SPARQ_ACCELERATOR_OK) {
 *       sparq_accelerator_pack(&input, image, memory + input_offset);
 *       sparq_accelerator_start(&accelerator, &program);
 *       sparq_accelerator_wait(&accelerator, 1000000);
 *     }
 *
 * The numbers of a program and its tensors are in sparq_network.h, which sparq compile writes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SPARQ_ACCELERATOR_H
#define SPARQ_ACCELERATOR_H

#include <stddef.h>
#include <stdint.h>

/* Registers: offsets in bytes, and of each field its place and its bits in the word. */
/* Begin of what the table of registers says. */
#define SPARQ_ACCELERATOR_IDENTIFICATION_OFFSET 0x00u
#define SPARQ_ACCELERATOR_IDENTIFICATION_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_IDENTIFICATION_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_VERSION_OFFSET 0x04u
#define SPARQ_ACCELERATOR_VERSION_PATCH_SHIFT 0
#define SPARQ_ACCELERATOR_VERSION_PATCH_MASK 0xffu
#define SPARQ_ACCELERATOR_VERSION_MINOR_SHIFT 8
#define SPARQ_ACCELERATOR_VERSION_MINOR_MASK 0xff00u
#define SPARQ_ACCELERATOR_VERSION_MAJOR_SHIFT 16
#define SPARQ_ACCELERATOR_VERSION_MAJOR_MASK 0xff0000u
#define SPARQ_ACCELERATOR_HASH_HIGH_OFFSET 0x08u
#define SPARQ_ACCELERATOR_HASH_HIGH_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_HASH_HIGH_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_HASH_LOW_OFFSET 0x0cu
#define SPARQ_ACCELERATOR_HASH_LOW_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_HASH_LOW_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_SIZE_OFFSET 0x10u
#define SPARQ_ACCELERATOR_SIZE_ROWS_SHIFT 0
#define SPARQ_ACCELERATOR_SIZE_ROWS_MASK 0xffffu
#define SPARQ_ACCELERATOR_SIZE_COLS_SHIFT 16
#define SPARQ_ACCELERATOR_SIZE_COLS_MASK 0xffff0000u
#define SPARQ_ACCELERATOR_WIDTHS_OFFSET 0x14u
#define SPARQ_ACCELERATOR_WIDTHS_K_PER_CYCLE_SHIFT 0
#define SPARQ_ACCELERATOR_WIDTHS_K_PER_CYCLE_MASK 0xffu
#define SPARQ_ACCELERATOR_WIDTHS_WEIGHT_BITS_SHIFT 8
#define SPARQ_ACCELERATOR_WIDTHS_WEIGHT_BITS_MASK 0xff00u
#define SPARQ_ACCELERATOR_WIDTHS_ACC_BITS_SHIFT 16
#define SPARQ_ACCELERATOR_WIDTHS_ACC_BITS_MASK 0xff0000u
#define SPARQ_ACCELERATOR_WIDTHS_PLANES_SHIFT 24
#define SPARQ_ACCELERATOR_WIDTHS_PLANES_MASK 0xff000000u
#define SPARQ_ACCELERATOR_FORMAT_OFFSET 0x18u
#define SPARQ_ACCELERATOR_FORMAT_WINDOW_BITS_SHIFT 0
#define SPARQ_ACCELERATOR_FORMAT_WINDOW_BITS_MASK 0xfu
#define SPARQ_ACCELERATOR_FORMAT_ROUNDING_SHIFT 4
#define SPARQ_ACCELERATOR_FORMAT_ROUNDING_MASK 0x10u
#define SPARQ_ACCELERATOR_FORMAT_VSPARQ_SHIFT 5
#define SPARQ_ACCELERATOR_FORMAT_VSPARQ_MASK 0x20u
#define SPARQ_ACCELERATOR_FORMAT_ENCODED_INPUT_SHIFT 6
#define SPARQ_ACCELERATOR_FORMAT_ENCODED_INPUT_MASK 0x40u
#define SPARQ_ACCELERATOR_FORMAT_ENCODED_OUTPUT_SHIFT 7
#define SPARQ_ACCELERATOR_FORMAT_ENCODED_OUTPUT_MASK 0x80u
#define SPARQ_ACCELERATOR_FORMAT_GROUP_SHIFT 8
#define SPARQ_ACCELERATOR_FORMAT_GROUP_MASK 0x1f00u
#define SPARQ_ACCELERATOR_FORMAT_SIGNS_SHIFT 13
#define SPARQ_ACCELERATOR_FORMAT_SIGNS_MASK 0x2000u
#define SPARQ_ACCELERATOR_FORMAT_AFFINE_SHIFT 14
#define SPARQ_ACCELERATOR_FORMAT_AFFINE_MASK 0x4000u
#define SPARQ_ACCELERATOR_FORMAT_SHIFTS_SHIFT 16
#define SPARQ_ACCELERATOR_FORMAT_SHIFTS_MASK 0xff0000u
#define SPARQ_ACCELERATOR_FORMAT_PAIR_BITS_SHIFT 24
#define SPARQ_ACCELERATOR_FORMAT_PAIR_BITS_MASK 0xff000000u
#define SPARQ_ACCELERATOR_MEMORY_OFFSET 0x1cu
#define SPARQ_ACCELERATOR_MEMORY_LINES_SHIFT 0
#define SPARQ_ACCELERATOR_MEMORY_LINES_MASK 0xfffffu
#define SPARQ_ACCELERATOR_MEMORY_BEAT_BYTES_SHIFT 20
#define SPARQ_ACCELERATOR_MEMORY_BEAT_BYTES_MASK 0xff00000u
#define SPARQ_ACCELERATOR_BUFFERS_OFFSET 0x20u
#define SPARQ_ACCELERATOR_BUFFERS_WEIGHT_DEPTH_SHIFT 0
#define SPARQ_ACCELERATOR_BUFFERS_WEIGHT_DEPTH_MASK 0xffffu
#define SPARQ_ACCELERATOR_START_OFFSET 0x24u
#define SPARQ_ACCELERATOR_START_START_SHIFT 0
#define SPARQ_ACCELERATOR_START_START_MASK 0x1u
#define SPARQ_ACCELERATOR_STATUS_OFFSET 0x28u
#define SPARQ_ACCELERATOR_STATUS_RUNNING_SHIFT 0
#define SPARQ_ACCELERATOR_STATUS_RUNNING_MASK 0x1u
#define SPARQ_ACCELERATOR_ERROR_OFFSET 0x2cu
#define SPARQ_ACCELERATOR_ERROR_CODE_SHIFT 0
#define SPARQ_ACCELERATOR_ERROR_CODE_MASK 0xffu
#define SPARQ_ACCELERATOR_DONE_OFFSET 0x30u
#define SPARQ_ACCELERATOR_DONE_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_DONE_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_INTERRUPT_OFFSET 0x34u
#define SPARQ_ACCELERATOR_INTERRUPT_DONE_SHIFT 0
#define SPARQ_ACCELERATOR_INTERRUPT_DONE_MASK 0x1u
#define SPARQ_ACCELERATOR_INTERRUPT_ERROR_SHIFT 1
#define SPARQ_ACCELERATOR_INTERRUPT_ERROR_MASK 0x2u
#define SPARQ_ACCELERATOR_INTERRUPT_ENABLE_OFFSET 0x38u
#define SPARQ_ACCELERATOR_INTERRUPT_ENABLE_DONE_SHIFT 0
#define SPARQ_ACCELERATOR_INTERRUPT_ENABLE_DONE_MASK 0x1u
#define SPARQ_ACCELERATOR_INTERRUPT_ENABLE_ERROR_SHIFT 1
#define SPARQ_ACCELERATOR_INTERRUPT_ENABLE_ERROR_MASK 0x2u
#define SPARQ_ACCELERATOR_PROGRAM_OFFSET 0x40u
#define SPARQ_ACCELERATOR_PROGRAM_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_PROGRAM_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_READS_LOW_OFFSET 0x44u
#define SPARQ_ACCELERATOR_READS_LOW_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_READS_LOW_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_READS_HIGH_OFFSET 0x48u
#define SPARQ_ACCELERATOR_READS_HIGH_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_READS_HIGH_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_READS_SIZE_OFFSET 0x4cu
#define SPARQ_ACCELERATOR_READS_SIZE_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_READS_SIZE_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_WRITES_LOW_OFFSET 0x50u
#define SPARQ_ACCELERATOR_WRITES_LOW_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_WRITES_LOW_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_WRITES_HIGH_OFFSET 0x54u
#define SPARQ_ACCELERATOR_WRITES_HIGH_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_WRITES_HIGH_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_WRITES_SIZE_OFFSET 0x58u
#define SPARQ_ACCELERATOR_WRITES_SIZE_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_WRITES_SIZE_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_WATCHDOG_OFFSET 0x5cu
#define SPARQ_ACCELERATOR_WATCHDOG_VALUE_SHIFT 0
#define SPARQ_ACCELERATOR_WATCHDOG_VALUE_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_CYCLES_LOW_OFFSET 0x80u
#define SPARQ_ACCELERATOR_CYCLES_LOW_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_CYCLES_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_CYCLES_HIGH_OFFSET 0x84u
#define SPARQ_ACCELERATOR_CYCLES_HIGH_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_CYCLES_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BUSY_LOW_OFFSET 0x88u
#define SPARQ_ACCELERATOR_BUSY_LOW_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BUSY_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BUSY_HIGH_OFFSET 0x8cu
#define SPARQ_ACCELERATOR_BUSY_HIGH_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BUSY_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BEATS_READ_LOW_OFFSET 0x90u
#define SPARQ_ACCELERATOR_BEATS_READ_LOW_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BEATS_READ_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BEATS_READ_HIGH_OFFSET 0x94u
#define SPARQ_ACCELERATOR_BEATS_READ_HIGH_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BEATS_READ_HIGH_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_LOW_OFFSET 0x98u
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_LOW_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_LOW_COUNT_MASK 0xffffffffu
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_HIGH_OFFSET 0x9cu
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_HIGH_COUNT_SHIFT 0
#define SPARQ_ACCELERATOR_BEATS_WRITTEN_HIGH_COUNT_MASK 0xffffffffu
/* End of what the table of registers says. */

#define SPARQ_ACCELERATOR_IDENTIFICATION 0x53505241u

/* How registers are reached. */
struct sparq_accelerator {
  uint32_t (*read32)(void *context, uint32_t offset);
  void (*write32)(void *context, uint32_t offset, uint32_t value);
  void *context;
};

/* What a function made of what it was asked for. */
enum sparq_accelerator_result {
  SPARQ_ACCELERATOR_OK = 0,
  SPARQ_ACCELERATOR_NOT_FOUND = 1,  /* Nothing answers as a SPARQ accelerator. */
  SPARQ_ACCELERATOR_WRONG_HASH = 2, /* It is one of another configuration. */
  SPARQ_ACCELERATOR_RUNNING = 3,    /* A program runs. */
  SPARQ_ACCELERATOR_TIMEOUT = 4,    /* It has not ended after so many polls. */
  SPARQ_ACCELERATOR_FAILED = 5      /* It ended with an error: sparq_accelerator_error says which. */
};

/* The counters of the last program. */
enum sparq_accelerator_counter {
  SPARQ_ACCELERATOR_CYCLES = 0,
  SPARQ_ACCELERATOR_BUSY = 1,
  SPARQ_ACCELERATOR_BEATS_READ = 2,
  SPARQ_ACCELERATOR_BEATS_WRITTEN = 3
};
#define SPARQ_ACCELERATOR_COUNTERS 4

/* A program, and the windows of memory that it may read and write: addresses and bytes. */
struct sparq_accelerator_program {
  uint64_t reads;
  uint32_t reads_size;
  uint64_t writes;
  uint32_t writes_size;
  uint32_t offset;   /* Of the first descriptor, from the start of the window that is read. */
  uint32_t watchdog; /* Cycles without any progress after which it is stopped; 0: never. */
};

static inline uint32_t sparq_accelerator_read(const struct sparq_accelerator *accelerator,
                                              uint32_t offset) {
  return accelerator->read32(accelerator->context, offset);
}

static inline void sparq_accelerator_write(const struct sparq_accelerator *accelerator,
                                           uint32_t offset, uint32_t value) {
  accelerator->write32(accelerator->context, offset, value);
}

/* Whether an accelerator of the configuration with this hash answers. */
static inline enum sparq_accelerator_result sparq_accelerator_check(
    const struct sparq_accelerator *accelerator, uint64_t hash) {
  uint32_t found = sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_IDENTIFICATION_OFFSET);
  uint64_t high, low;
  if (found != SPARQ_ACCELERATOR_IDENTIFICATION) return SPARQ_ACCELERATOR_NOT_FOUND;
  high = sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_HASH_HIGH_OFFSET);
  low = sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_HASH_LOW_OFFSET);
  return (high << 32 | low) == hash ? SPARQ_ACCELERATOR_OK : SPARQ_ACCELERATOR_WRONG_HASH;
}

/* Whether a program runs. */
static inline int sparq_accelerator_running(const struct sparq_accelerator *accelerator) {
  uint32_t status = sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_STATUS_OFFSET);
  return (status & SPARQ_ACCELERATOR_STATUS_RUNNING_MASK) != 0;
}

/* Which events raise the interrupt. */
static inline void sparq_accelerator_enable_interrupts(const struct sparq_accelerator *accelerator,
                                                       int done, int error) {
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_INTERRUPT_ENABLE_OFFSET,
                          (done ? SPARQ_ACCELERATOR_INTERRUPT_ENABLE_DONE_MASK : 0u) |
                              (error ? SPARQ_ACCELERATOR_INTERRUPT_ENABLE_ERROR_MASK : 0u));
}

/* Lowers the interrupt: what has happened is cleared. */
static inline void sparq_accelerator_clear_interrupts(const struct sparq_accelerator *accelerator) {
  sparq_accelerator_write(
      accelerator, SPARQ_ACCELERATOR_INTERRUPT_OFFSET,
      SPARQ_ACCELERATOR_INTERRUPT_DONE_MASK | SPARQ_ACCELERATOR_INTERRUPT_ERROR_MASK);
}

/* Starts a program, unless one runs. */
static inline enum sparq_accelerator_result sparq_accelerator_start(
    const struct sparq_accelerator *accelerator, const struct sparq_accelerator_program *program) {
  if (sparq_accelerator_running(accelerator)) return SPARQ_ACCELERATOR_RUNNING;
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_READS_LOW_OFFSET,
                          (uint32_t)program->reads);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_READS_HIGH_OFFSET,
                          (uint32_t)(program->reads >> 32));
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_READS_SIZE_OFFSET, program->reads_size);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_WRITES_LOW_OFFSET,
                          (uint32_t)program->writes);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_WRITES_HIGH_OFFSET,
                          (uint32_t)(program->writes >> 32));
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_WRITES_SIZE_OFFSET, program->writes_size);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_PROGRAM_OFFSET, program->offset);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_WATCHDOG_OFFSET, program->watchdog);
  sparq_accelerator_write(accelerator, SPARQ_ACCELERATOR_START_OFFSET,
                          SPARQ_ACCELERATOR_START_START_MASK);
  return SPARQ_ACCELERATOR_OK;
}

/* Why the last program stopped: 0, or an error code of golden/descriptor.py. */
static inline uint32_t sparq_accelerator_error(const struct sparq_accelerator *accelerator) {
  return sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_ERROR_OFFSET) &
         SPARQ_ACCELERATOR_ERROR_CODE_MASK;
}

/* Descriptors of the last program that were done, or are under way. */
static inline uint32_t sparq_accelerator_done(const struct sparq_accelerator *accelerator) {
  return sparq_accelerator_read(accelerator, SPARQ_ACCELERATOR_DONE_OFFSET);
}

/* Polls at most so many times, until no program runs. */
static inline enum sparq_accelerator_result sparq_accelerator_wait(
    const struct sparq_accelerator *accelerator, uint32_t polls) {
  for (; polls; --polls) {
    if (sparq_accelerator_running(accelerator)) continue;
    return sparq_accelerator_error(accelerator) ? SPARQ_ACCELERATOR_FAILED : SPARQ_ACCELERATOR_OK;
  }
  return SPARQ_ACCELERATOR_TIMEOUT;
}

/* A counter of the last program; it stands still when that has ended. */
static inline uint64_t sparq_accelerator_count(const struct sparq_accelerator *accelerator,
                                               enum sparq_accelerator_counter counter) {
  uint32_t offset = SPARQ_ACCELERATOR_CYCLES_LOW_OFFSET + 8u * (uint32_t)counter;
  uint64_t high = sparq_accelerator_read(accelerator, offset + 4u);
  return high << 32 | sparq_accelerator_read(accelerator, offset);
}

/* How the bytes of a tensor (pixels, channels) lie in memory: lines of banks of channel words. */
struct sparq_accelerator_tensor {
  uint32_t pixels;        /* Its rows times its columns. */
  uint32_t channels;      /* Bytes of a pixel: four for each channel of sums. */
  uint32_t pitch;         /* Lines from a block of pixels to the next. */
  uint32_t word;          /* The first line of a block that is its own. */
  uint32_t banks;         /* Pixels of a block. */
  uint32_t word_channels; /* Bytes of a channel word. */
};

/* Where a byte lies, from the start of the tensor's lines on. */
static inline size_t sparq_accelerator_place(const struct sparq_accelerator_tensor *tensor,
                                             uint32_t pixel, uint32_t channel) {
  size_t line = (size_t)(pixel / tensor->banks) * tensor->pitch + tensor->word +
                channel / tensor->word_channels;
  return (line * tensor->banks + pixel % tensor->banks) * tensor->word_channels +
         channel % tensor->word_channels;
}

/* Writes a tensor, pixel after pixel, into its lines; what fills these up is left as it is. */
static inline void sparq_accelerator_pack(const struct sparq_accelerator_tensor *tensor,
                                          const uint8_t *values, uint8_t *lines) {
  uint32_t pixel, channel;
  for (pixel = 0; pixel < tensor->pixels; ++pixel) {
    for (channel = 0; channel < tensor->channels; ++channel) {
      lines[sparq_accelerator_place(tensor, pixel, channel)] = *values++;
    }
  }
}

/* Reads a tensor, pixel after pixel, from its lines. */
static inline void sparq_accelerator_unpack(const struct sparq_accelerator_tensor *tensor,
                                            const uint8_t *lines, uint8_t *values) {
  uint32_t pixel, channel;
  for (pixel = 0; pixel < tensor->pixels; ++pixel) {
    for (channel = 0; channel < tensor->channels; ++channel) {
      *values++ = lines[sparq_accelerator_place(tensor, pixel, channel)];
    }
  }
}

/* A sum times multiplier over 2**shift, rounded half to even: a logit. */
static inline int64_t sparq_accelerator_rescale(int32_t sum, uint16_t multiplier, uint8_t shift) {
  int64_t product = (int64_t)sum * multiplier;
  int64_t step = (int64_t)1 << shift;
  int64_t rest = (product % step + step) % step;
  int64_t floor = (product - rest) / step;
  if (2 * rest > step || (2 * rest == step && floor % 2 != 0)) ++floor;
  return floor;
}

#endif
