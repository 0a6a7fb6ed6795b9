// Layers of integer networks, in exact integers: what NumPy computes, at the speed of vector units.
//
// Activations and weights meet in pairs of 16-bit integers, whose products any vector unit adds in
// 32 bits. Bytes become such integers, windows and padding with them, some rows of an image at a
// time, few enough to stay in the second-level cache; a patch is then read where it stands.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

// A vector of sums, and a row of weights for them: a pair for each.
#if defined(__AVX512BW__)
constexpr int LANES = 16, TALL = 12;
struct Vector {
  __m512i sums = _mm512_setzero_si512();
  void add(std::int32_t pair, const std::int16_t* weights) {
    const __m512i w = _mm512_loadu_si512(weights), x = _mm512_set1_epi32(pair);
#if defined(__AVX512VNNI__)
    sums = _mm512_dpwssd_epi32(sums, x, w);
#else
    sums = _mm512_add_epi32(sums, _mm512_madd_epi16(x, w));
#endif
  }
  void store(std::int32_t* out) const { _mm512_storeu_si512(out, sums); }
};
#elif defined(__AVX2__)
constexpr int LANES = 8, TALL = 6;
struct Vector {
  __m256i sums = _mm256_setzero_si256();
  void add(std::int32_t pair, const std::int16_t* weights) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
    const __m256i x = _mm256_set1_epi32(pair);
#if defined(__AVXVNNI__)
    sums = _mm256_dpwssd_avx_epi32(sums, x, w);
#else
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x, w));
#endif
  }
  void store(std::int32_t* out) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), sums);
  }
};
#else
constexpr int LANES = 8, TALL = 4;
struct Vector {
  std::int32_t sums[LANES] = {};
  void add(std::int32_t pair, const std::int16_t* weights) {
    std::int16_t x[2];
    std::memcpy(x, &pair, sizeof x);
    for (int lane = 0; lane < LANES; ++lane)
      sums[lane] += x[0] * weights[2 * lane] + x[1] * weights[2 * lane + 1];
  }
  void store(std::int32_t* out) const { std::memcpy(out, sums, sizeof sums); }
};
#endif

constexpr int WIDE = 2;                    // vectors of a panel of weights
constexpr std::int64_t ENCODED = 1 << 17;  // activations of a block, of two bytes each
constexpr int MAX_GROUP = 16;              // activations that share a window
constexpr int SLACK = 16;                  // read behind the last one, and multiplied by zero

// A run of activations of a patch that stand together in memory, so far behind the first of all.
struct Run {
  std::int64_t offset;
  int length;

  int pairs() const { return (length + 1) / 2; }
};

// The sums of `tall` rows, each `offset` behind a start, and of a panel, by row.
template <int tall, int wide>
inline void multiply(const std::int16_t* const* starts, std::int64_t offset,
                     const std::vector<Run>& runs, const std::int16_t* panel, std::int32_t* out) {
  Vector sums[tall][wide];
  for (const Run& run : runs) {
    const std::int16_t* row[tall];
    for (int r = 0; r < tall; ++r) row[r] = starts[r] + offset + run.offset;
    for (int pair = 0; pair < run.pairs(); ++pair) {
#pragma GCC unroll 16
      for (int r = 0; r < tall; ++r) {
        std::int32_t both;
        std::memcpy(&both, row[r] + 2 * pair, sizeof both);
#pragma GCC unroll 2
        for (int v = 0; v < wide; ++v) sums[r][v].add(both, panel + 2 * LANES * v);
      }
      panel += 2 * LANES * wide;
    }
  }
  for (int r = 0; r < tall; ++r)
    for (int v = 0; v < wide; ++v) sums[r][v].store(out + (r * wide + v) * LANES);
}

}  // namespace

extern "C" {

// What activations become: bytes as they are, or windows by pair, or in groups that share one.
struct Coding {
  std::int32_t group;            // 1: the bytes, 2: by pair, more: shared windows
  std::int32_t length;           // of runs of neighbours, each coded on its own
  std::int32_t zero_point;       // of bytes
  std::int32_t magnitude_max;    // of shared windows
  std::int32_t lends;            // whether zeros lend their lanes there
  const std::int16_t* values;    // (65536, 2); or (9, 256), by shift, the last one wide
  const std::uint8_t* shifts;    // (256), of shared windows
};

// How bytes are made of sums: rint(sum * factor) + zero_point, within limits.
struct Finish {
  const double* factors;  // one per output
  std::int32_t zero_point, low, high;
};

struct Layer {
  std::int32_t images, height, width, channels;
  std::int32_t kernel[2], stride[2], padding[4], dilation[2];
  std::int32_t groups, outputs, rows, columns;  // `outputs` of a group
  std::int32_t fill;                            // padding, coded
  const std::int8_t* weights;                   // (groups, K, outputs)
  const std::int32_t* bias;                     // (groups * outputs)
};

}  // extern "C"

namespace {

// A group of `size` neighbours that share a window, or what a run ends in; without branches, which
// would be guessed wrong.
inline void encode_group(const Coding& coding, int size, const std::uint8_t* x, std::int16_t* out) {
  constexpr int VALUES = 256, WIDE_TABLE = 8;
  std::uint8_t magnitude[MAX_GROUP] = {};
  for (int i = 0; i < size; ++i)
    magnitude[i] = std::min(std::abs(x[i] - coding.zero_point), coding.magnitude_max);
  int lent[MAX_GROUP / 2], together = 0;
  for (int pair = 0; 2 * pair < size; ++pair) {
    const int first = magnitude[2 * pair], second = magnitude[2 * pair + 1];
    lent[pair] = coding.lends & ((first == 0) | (second == 0));
    together |= (first | second) & (lent[pair] - 1);
  }
  const int shift = coding.shifts[together];
  for (int i = 0; i < size; ++i) {
    const int table = shift + (WIDE_TABLE - shift) * lent[i / 2];
    const int value = coding.values[table * VALUES + magnitude[i]];
    const int negative = x[i] < coding.zero_point;
    out[i] = static_cast<std::int16_t>((value ^ -negative) + negative);
  }
}

// Runs of `length` neighbours, in groups of a size that the compiler knows.
template <int group>
void encode_shared(const Coding& coding, std::int64_t length, const std::uint8_t* x,
                   std::int64_t count, std::int16_t* out) {
  for (std::int64_t run = 0; run < count; run += length) {
    std::int64_t i = run;
    for (; i + group <= run + length; i += group) encode_group(coding, group, x + i, out + i);
    if (i < run + length) encode_group(coding, static_cast<int>(run + length - i), x + i, out + i);
  }
}

void encode(const Coding& coding, const std::uint8_t* x, std::int64_t count, std::int16_t* out) {
  // Of runs that are full of groups, one is as good as many.
  const std::int64_t length = coding.length % coding.group ? coding.length : count;
  if (coding.group == 16) {
    encode_shared<16>(coding, length, x, count, out);
  } else if (coding.group == 8) {
    encode_shared<8>(coding, length, x, count, out);
  } else if (coding.group == 4) {
    encode_shared<4>(coding, length, x, count, out);
  } else if (coding.group == 2) {
    for (std::int64_t run = 0; run < count; run += length) {
      std::int64_t i = run;
      for (; i + 1 < run + length; i += 2) {
        const int pair = x[i] | x[i + 1] << 8;
        std::memcpy(out + i, coding.values + 2 * pair, 2 * sizeof *out);
      }
      if (i < run + length) out[i] = coding.values[2 * (x[i] | coding.zero_point << 8)];
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] = x[i];
  }
}

// Activations of a row of the padded images.
std::int64_t line_of(const Layer& layer) {
  return (std::int64_t{layer.padding[1]} + layer.width + layer.padding[3]) * layer.channels;
}

// Rows of the padded, coded images.
void encode_rows(const Layer& layer, const Coding& coding, const std::uint8_t* image, int first,
                 int count, std::int16_t* out) {
  const std::int64_t line = line_of(layer);
  const std::int64_t inner = std::int64_t{layer.width} * layer.channels;
  const std::int64_t left = std::int64_t{layer.padding[1]} * layer.channels;
  const int begin = std::clamp(layer.padding[0] - first, 0, count);
  const int end = std::clamp(layer.padding[0] + layer.height - first, begin, count);
  const std::uint8_t* source = image + (first + begin - layer.padding[0]) * inner;
  std::fill(out, out + begin * line, layer.fill);
  std::fill(out + end * line, out + count * line, layer.fill);
  if (inner == line) {
    encode(coding, source, (end - begin) * inner, out + begin * line);
    return;
  }
  for (int row = begin; row < end; ++row, source += inner) {
    std::int16_t* const at = out + row * line;
    std::fill(at, at + left, layer.fill);
    encode(coding, source, inner, at + left);
    std::fill(at + left + inner, at + line, layer.fill);
  }
}

// Makes bytes of sums.
class Finisher {
 public:
  explicit Finisher(const Finish& how)
      : factors(how.factors),
        low(how.low - how.zero_point),
        high(how.high - how.zero_point),
        zero_point(how.zero_point) {}

  // Of `count` outputs from the one numbered `first` on.
  void run(std::int64_t first, std::int64_t count, const std::int32_t* __restrict bias,
           const std::int32_t* __restrict sums, std::uint8_t* __restrict out) const {
    std::int64_t i = 0;
#if defined(__AVX2__)
    for (; i + 8 <= count; i += 8) {
      const __m128i low_half = four(first + i, bias + i, sums + i);
      const __m128i high_half = four(first + i + 4, bias + i + 4, sums + i + 4);
      const __m128i words = _mm_packus_epi32(low_half, high_half);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm_packus_epi16(words, words));
    }
#endif
    for (; i < count; ++i) {
      const double scaled = (sums[i] + bias[i]) * factors[first + i];
      const double clipped = std::min(std::max(scaled, low), high);
      out[i] = static_cast<std::uint8_t>(static_cast<int>(std::rint(clipped)) + zero_point);
    }
  }

 private:
  const double* const factors;
  const double low, high;
  const std::int32_t zero_point;

#if defined(__AVX2__)
  __m128i four(std::int64_t first, const std::int32_t* bias, const std::int32_t* sums) const {
    const __m128i total = _mm_add_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sums)),
                                        _mm_loadu_si128(reinterpret_cast<const __m128i*>(bias)));
    const __m256d scaled =
        _mm256_mul_pd(_mm256_cvtepi32_pd(total), _mm256_loadu_pd(factors + first));
    const __m256d clipped =
        _mm256_min_pd(_mm256_max_pd(scaled, _mm256_set1_pd(low)), _mm256_set1_pd(high));
    // The conversion rounds half to even.
    return _mm_add_epi32(_mm256_cvtpd_epi32(clipped), _mm_set1_epi32(zero_point));
  }
#endif
};

struct alignas(64) Line {
  std::int16_t weights[32];
};

// Weights of some outputs of a group: the pairs of all runs, one after the other.
struct Panel {
  int group, first, width;  // outputs of the group, from the first on; width in lanes
  std::int16_t* weights;
};

// Kept between calls: fresh pages cost more than what is done with them.
thread_local std::vector<Line> packed;
thread_local std::vector<std::int16_t> encoded;

template <typename Element>
void grow(std::vector<Element>& buffer, std::int64_t size) {
  if (static_cast<std::int64_t>(buffer.size()) < size) buffer.resize(size);
}

// The weights of a pair, `second` null for an odd last one, in some panels of a group.
void pack_pair(const Layer& layer, const std::int8_t* first, const std::int8_t* second,
               const Panel* panel, const Panel* end, std::int64_t number) {
  std::int8_t pair[2][WIDE * LANES] = {};
  for (; panel != end; ++panel) {
    const int taken = std::min(panel->width, layer.outputs - panel->first);
    std::memcpy(pair[0], first + panel->first, taken);
    if (second) std::memcpy(pair[1], second + panel->first, taken);
    std::int16_t* __restrict out = panel->weights + number * 2 * panel->width;
    for (int start = 0; start < panel->width; start += LANES, out += 2 * LANES) {
      for (int column = 0; column < LANES; ++column) {
        out[2 * column] = pair[0][start + column];
        out[2 * column + 1] = pair[1][start + column];
      }
    }
  }
}

// All weights in panels.
std::vector<Panel> panels_of(const Layer& layer, const std::vector<Run>& runs) {
  std::int64_t pairs = 0;
  for (const Run& run : runs) pairs += run.pairs();
  std::vector<Panel> panels;
  std::int64_t lines = 0;
  for (int group = 0; group < layer.groups; ++group) {
    for (int first = 0; first < layer.outputs; first += panels.back().width) {
      const int width = layer.outputs - first > LANES ? WIDE * LANES : LANES;
      panels.push_back({group, first, width, nullptr});
      lines += (pairs * width + 15) / 16;
    }
  }
  grow(packed, lines);
  Line* place = packed.data();
  for (Panel& panel : panels) {
    panel.weights = place->weights;
    place += (pairs * panel.width + 15) / 16;
  }
  const std::size_t per_group = panels.size() / layer.groups;
  // Each row of weights is read once, from the first output to the last.
  const std::int8_t* row = layer.weights;
  for (int group = 0; group < layer.groups; ++group) {
    const Panel* const own = panels.data() + group * per_group;
    std::int64_t number = 0;
    for (const Run& run : runs) {
      for (int k = 0; k < run.length; k += 2, ++number) {
        const bool both = k + 1 < run.length;
        pack_pair(layer, row, both ? row + layer.outputs : nullptr, own, own + per_group, number);
        row += (both ? 2 : 1) * layer.outputs;
      }
    }
  }
  return panels;
}

// Where the sums of some outputs of each pixel go: with their bias, as bytes or as they are.
struct Sink {
  const std::int32_t* bias;  // of the layer
  const Finisher* finisher;  // null for sums
  void* result;
  std::int64_t width;  // outputs of a pixel

  void put(const std::int32_t* sums, std::int64_t pixel, std::int64_t first, int count) const {
    const std::int64_t place = pixel * width + first;
    if (finisher) {
      finisher->run(first, count, bias + first, sums, static_cast<std::uint8_t*>(result) + place);
    } else {
      std::int32_t* const out = static_cast<std::int32_t*>(result) + place;
      for (int i = 0; i < count; ++i) out[i] = sums[i] + bias[first + i];
    }
  }
};

// The products of all starts, the first of which is that of the numbered pixel, and one panel.
template <int tall, int wide>
void multiply_panel(const Layer& layer, const std::vector<const std::int16_t*>& starts,
                    std::int64_t count, const std::vector<Run>& runs, const Panel& panel,
                    const Sink& given, std::int64_t first_pixel) {
  const Sink sink = given;
  const int outputs = std::min(panel.width, layer.outputs - panel.first);
  const std::int64_t column = std::int64_t{panel.group} * layer.outputs + panel.first;
  const std::int64_t offset = std::int64_t{panel.group} * (layer.channels / layer.groups);
  std::int32_t sums[tall * wide * LANES];
  for (std::int64_t pixel = 0; pixel < count; pixel += tall) {
    multiply<tall, wide>(starts.data() + pixel, offset, runs, panel.weights, sums);
    const int real = static_cast<int>(std::min<std::int64_t>(tall, count - pixel));
    for (int r = 0; r < real; ++r)
      sink.put(sums + r * wide * LANES, first_pixel + pixel + r, column, outputs);
  }
}

// One input channel for each output: all channels side by side.
void multiply_depthwise(const Layer& layer, const std::vector<const std::int16_t*>& starts,
                        std::int64_t count, const std::vector<Run>& runs, const Sink& sink,
                        std::int64_t first_pixel) {
  const int channels = layer.channels;
  const std::int64_t taps = static_cast<std::int64_t>(runs.size());
  std::vector<std::int16_t> weights(taps * channels);
  for (int channel = 0; channel < channels; ++channel)
    for (std::int64_t tap = 0; tap < taps; ++tap)
      weights[tap * channels + channel] = layer.weights[channel * taps + tap];
  std::vector<std::int32_t> sums(channels);
  for (std::int64_t pixel = 0; pixel < count; ++pixel) {
    for (int first = 0; first < channels; first += 2 * LANES) {
      const int size = std::min(2 * LANES, channels - first);
      std::int32_t part[2 * LANES] = {};
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int16_t* const x = starts[pixel] + runs[tap].offset + first;
        const std::int16_t* const w = weights.data() + tap * channels + first;
        if (size == 2 * LANES)
          for (int i = 0; i < 2 * LANES; ++i) part[i] += x[i] * w[i];
        else
          for (int i = 0; i < size; ++i) part[i] += x[i] * w[i];
      }
      std::copy(part, part + size, sums.begin() + first);
    }
    sink.put(sums.data(), first_pixel + pixel, 0, channels);
  }
}

// The runs of a patch; of a kernel row all stand together, unless there are groups or gaps.
std::vector<Run> runs_of(const Layer& layer) {
  const int own = layer.channels / layer.groups;
  const bool joined = layer.groups == 1 && layer.dilation[1] == 1;
  std::vector<Run> runs;
  for (int row = 0; row < layer.kernel[0]; ++row) {
    const std::int64_t first = row * layer.dilation[0] * line_of(layer);
    if (joined) runs.push_back({first, layer.kernel[1] * own});
    for (int column = 0; column < layer.kernel[1] && !joined; ++column)
      runs.push_back({first + std::int64_t{column} * layer.dilation[1] * layer.channels, own});
  }
  return runs;
}

// Whole images, or rows of the output of one, whose activations stay in the cache.
struct Block {
  int images, rows;
  std::int64_t pitch;  // activations of an image
};

Block block_of(const Layer& layer) {
  const int extent = (layer.kernel[0] - 1) * layer.dilation[0] + 1;
  const std::int64_t held = ENCODED / line_of(layer);
  const std::int64_t fitting = (held - extent) / layer.stride[0] + 1;
  const int rows = static_cast<int>(std::clamp<std::int64_t>(fitting, 1, layer.rows));
  const int read = (rows - 1) * layer.stride[0] + extent;
  const std::int64_t images = rows < layer.rows ? 1 : std::max<std::int64_t>(1, held / read);
  return {static_cast<int>(std::min<std::int64_t>(images, layer.images)), rows,
          read * line_of(layer)};
}

// Where the patches of some rows of the output start, of padded images that stand from `base` on.
void add_starts(const Layer& layer, const std::int16_t* base, int rows,
                std::vector<const std::int16_t*>& starts) {
  for (int row = 0; row < rows; ++row) {
    const std::int16_t* const first = base + row * layer.stride[0] * line_of(layer);
    for (int column = 0; column < layer.columns; ++column)
      starts.push_back(first + std::int64_t{column} * layer.stride[1] * layer.channels);
  }
}

}  // namespace

extern "C" {

// The products of a layer with its bias: bytes if `how` is given, else the sums, both (rows of
// output pixels, groups * outputs).
void run_layer(const Layer* given, const Coding* coding, const Finish* how, const std::uint8_t* x,
               void* result) {
  const Layer& layer = *given;
  const std::vector<Run> runs = runs_of(layer);
  const bool depthwise =
      layer.groups > 1 && layer.channels == layer.groups && layer.outputs == 1;
  const std::vector<Panel> panels = depthwise ? std::vector<Panel>{} : panels_of(layer, runs);
  const Finisher finisher(how ? *how : Finish{});
  const Sink sink{layer.bias, how ? &finisher : nullptr, result,
                  std::int64_t{layer.groups} * layer.outputs};
  const Block block = block_of(layer);
  grow(encoded, block.images * block.pitch + SLACK);
  std::vector<const std::int16_t*> starts;
  for (int image = 0; image < layer.images; image += block.images) {
    for (int top = 0; top < layer.rows; top += block.rows) {
      const int rows = std::min(block.rows, layer.rows - top);
      const int read = (rows - 1) * layer.stride[0] + (layer.kernel[0] - 1) * layer.dilation[0] + 1;
      starts.clear();
      for (int i = image; i < std::min(image + block.images, layer.images); ++i) {
        std::int16_t* const base = encoded.data() + (i - image) * block.pitch;
        encode_rows(layer, *coding,
                    x + std::int64_t{i} * layer.height * layer.width * layer.channels,
                    top * layer.stride[0], read, base);
        add_starts(layer, base, rows, starts);
      }
      const std::int64_t count = static_cast<std::int64_t>(starts.size());
      starts.resize(count + 2 * TALL, starts.back());
      const std::int64_t done = (std::int64_t{image} * layer.rows + top) * layer.columns;
      if (depthwise) multiply_depthwise(layer, starts, count, runs, sink, done);
      for (const Panel& panel : panels) {
        if (panel.width > LANES)
          multiply_panel<TALL, WIDE>(layer, starts, count, runs, panel, sink, done);
        else
          multiply_panel<TALL, 1>(layer, starts, count, runs, panel, sink, done);
      }
    }
  }
}

// Weighted sums of bytes: `terms` arrays of `size`. What belongs to an output (multipliers, bias
// and factors) repeats after `period`.
void run_combine(std::int32_t terms, const std::uint8_t* const* values,
                 const std::int32_t* const* multipliers, const std::int32_t* bias,
                 const Finish* how, std::int64_t size, std::int64_t period, std::uint8_t* result) {
  const Finisher finisher(*how);
  std::vector<std::int32_t> sums(period);
  for (std::int64_t start = 0; start < size; start += period) {
    const std::int64_t count = std::min(period, size - start);
    std::fill(sums.begin(), sums.end(), 0);
    for (int term = 0; term < terms; ++term) {
      const std::uint8_t* __restrict value = values[term] + start;
      const std::int32_t* __restrict multiplier = multipliers[term];
      std::int32_t* __restrict sum = sums.data();
      for (std::int64_t i = 0; i < count; ++i) sum[i] += multiplier[i] * value[i];
    }
    finisher.run(0, count, bias, sums.data(), result + start);
  }
}

// What tables of 256 bytes make of bytes: one table, or as many as there are channels.
void run_look_up(const std::uint8_t* tables, std::int64_t count, const std::uint8_t* x,
                 std::int64_t size, std::uint8_t* result) {
  for (std::int64_t start = 0; start < size; start += count)
    for (std::int64_t i = 0; i < count; ++i) result[start + i] = tables[256 * i + x[start + i]];
}

// The largest byte under each position of a patch; `layer` has no weights.
void run_max_pool(const Layer* given, const std::uint8_t* x, std::uint8_t* result) {
  const Layer& layer = *given;
  const int channels = layer.channels;
  for (int image = 0; image < layer.images; ++image) {
    for (int row = 0; row < layer.rows; ++row) {
      for (int column = 0; column < layer.columns; ++column, result += channels) {
        std::fill(result, result + channels, 0);
        for (int i = 0; i < layer.kernel[0]; ++i) {
          const int y = row * layer.stride[0] + i * layer.dilation[0] - layer.padding[0];
          if (y < 0 || y >= layer.height) continue;
          for (int j = 0; j < layer.kernel[1]; ++j) {
            const int z = column * layer.stride[1] + j * layer.dilation[1] - layer.padding[1];
            if (z < 0 || z >= layer.width) continue;
            const std::uint8_t* tap =
                x + ((std::int64_t{image} * layer.height + y) * layer.width + z) * channels;
            for (int c = 0; c < channels; ++c) result[c] = std::max(result[c], tap[c]);
          }
        }
      }
    }
  }
}

}  // extern "C"
