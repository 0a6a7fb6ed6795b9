/*
 * An example: an image through a network that sparq compile has made, without an operating system.
 *
 * It is C99 and C++, and takes from your system what is declared `system_...` below. The folder of
 * the network has sparq_network.h, and memory.bin, which your linker can take in:
 *
 *     objcopy -I binary -O TARGET --rename-section .data=.rodata memory.bin memory.o
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "sparq_accelerator.h"
#include "sparq_network.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A register of the accelerator is read and written: on most systems by a volatile pointer to the
   start of s_axi_control, which is `context`, plus the offset. */
uint32_t system_read32(void *context, uint32_t offset);
void system_write32(void *context, uint32_t offset, uint32_t value);
/* Sleeps until irq is 1, or for a while; at once if it is. An empty function polls. */
void system_wait_for_interrupt(void);
/* What the processor has written is in memory; it reads what the accelerator has written. */
void system_synchronize_memory(void);

extern void *system_registers;                                    /* The context. */
extern uint8_t system_memory[SPARQ_NETWORK_MEMORY_BYTES];         /* From a line's start on. */
extern uint64_t system_memory_address;                            /* As the accelerator sees it. */
extern const uint8_t system_constants[SPARQ_NETWORK_CONSTANT_BYTES]; /* memory.bin */
/* Bytes of pixels, row after row, all channels of each. */
extern const uint8_t system_image[SPARQ_NETWORK_INPUT_HEIGHT * SPARQ_NETWORK_INPUT_WIDTH *
                                  SPARQ_NETWORK_INPUT_CHANNELS];

int64_t logits[SPARQ_NETWORK_OUTPUT_HEIGHT * SPARQ_NETWORK_OUTPUT_WIDTH *
               SPARQ_NETWORK_OUTPUT_CHANNELS];

#ifdef __cplusplus
}
#endif

#define LOGITS (sizeof logits / sizeof *logits)
#define BYTES (SPARQ_NETWORK_OUTPUT_SUMS ? 4u : 1u) /* Of an output. */
#define SCALES (sizeof sparq_network_shift / sizeof *sparq_network_shift)

static const struct sparq_accelerator_tensor input = {
    SPARQ_NETWORK_INPUT_HEIGHT * SPARQ_NETWORK_INPUT_WIDTH,
    SPARQ_NETWORK_INPUT_CHANNELS,
    SPARQ_NETWORK_INPUT_PITCH,
    SPARQ_NETWORK_INPUT_WORD,
    SPARQ_NETWORK_BANKS,
    SPARQ_NETWORK_WORD_CHANNELS,
};
static const struct sparq_accelerator_tensor output = {
    SPARQ_NETWORK_OUTPUT_HEIGHT * SPARQ_NETWORK_OUTPUT_WIDTH,
    SPARQ_NETWORK_OUTPUT_CHANNELS * BYTES,
    SPARQ_NETWORK_OUTPUT_PITCH,
    SPARQ_NETWORK_OUTPUT_WORD,
    SPARQ_NETWORK_BANKS,
    SPARQ_NETWORK_WORD_CHANNELS,
};

static int64_t logit(const uint8_t *bytes, size_t channel) {
  uint32_t value = 0, index;
  for (index = 0; index < BYTES; ++index) value |= (uint32_t)bytes[index] << 8 * index;
  return sparq_accelerator_rescale((int32_t)value, sparq_network_multiplier[channel % SCALES],
                                   sparq_network_shift[channel % SCALES]);
}

/* 0, or what went wrong: an enum sparq_accelerator_result. */
int main(void) {
  static uint8_t results[LOGITS * BYTES];
  struct sparq_accelerator accelerator = {system_read32, system_write32, NULL};
  struct sparq_accelerator_program program;
  enum sparq_accelerator_result result;
  size_t index;

  accelerator.context = system_registers;
  result = sparq_accelerator_check(&accelerator, SPARQ_NETWORK_HASH);
  if (result != SPARQ_ACCELERATOR_OK) return (int)result;

  /* Once for all images: the program, parameters and weights. */
  memcpy(system_memory, system_constants, sizeof system_constants);
  program.reads = system_memory_address + SPARQ_NETWORK_READ_OFFSET;
  program.reads_size = SPARQ_NETWORK_READ_BYTES;
  program.writes = system_memory_address + SPARQ_NETWORK_WRITE_OFFSET;
  program.writes_size = SPARQ_NETWORK_WRITE_BYTES;
  program.offset = SPARQ_NETWORK_PROGRAM_OFFSET;
  program.watchdog = 1u << 16;
  sparq_accelerator_enable_interrupts(&accelerator, 1, 1);

  /* For each image. */
  sparq_accelerator_pack(&input, system_image, system_memory + SPARQ_NETWORK_INPUT_OFFSET);
  system_synchronize_memory();
  result = sparq_accelerator_start(&accelerator, &program);
  if (result != SPARQ_ACCELERATOR_OK) return (int)result;
  while (sparq_accelerator_running(&accelerator)) system_wait_for_interrupt();
  sparq_accelerator_clear_interrupts(&accelerator);
  if (sparq_accelerator_error(&accelerator)) return SPARQ_ACCELERATOR_FAILED;
  system_synchronize_memory();
  sparq_accelerator_unpack(&output, system_memory + SPARQ_NETWORK_OUTPUT_OFFSET, results);
  for (index = 0; index < LOGITS; ++index) {
    logits[index] = logit(results + index * BYTES, index % SPARQ_NETWORK_OUTPUT_CHANNELS);
  }
  return 0;
}
