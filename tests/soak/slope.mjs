// SPDX-License-Identifier: Apache-2.0
//
// Does a figure grow? The line of least squares through its samples, and how far they lie beside it.
//
// The rule: what the line grows over the time that was measured is within the noise, that is, not more than the largest
// of
//
//   - twice the standard deviation of the samples around the line,
//   - a hundredth of their mean,
//   - a floor that the caller names, below which a figure says nothing (memory comes in pages).
//
// A leak passes none of these for long: the line follows it, so that it does not count as noise.

/** samples: [[seconds, value], ...]; gives {mean, slope, growth, noise, isFlat}. The slope is per second. */
export function slope(samples, floor) {
  const n = samples.length
  if (n < 3) throw new Error(`${n} samples are too few for a line`)
  const mean = (at) => samples.reduce((sum, sample) => sum + sample[at], 0) / n
  const [meanTime, meanValue] = [mean(0), mean(1)]
  const square = samples.reduce((sum, [time]) => sum + (time - meanTime) ** 2, 0)
  const product = samples.reduce((sum, [time, value]) => sum + (time - meanTime) * (value - meanValue), 0)
  const perSecond = product / square
  const rest = samples.reduce((sum, [time, value]) => sum + (value - meanValue - perSecond * (time - meanTime)) ** 2, 0)
  const growth = perSecond * (samples[n - 1][0] - samples[0][0])
  const noise = Math.max(2 * Math.sqrt(rest / (n - 2)), Math.abs(meanValue) / 100, floor)
  return { mean: meanValue, slope: perSecond, growth, noise, isFlat: growth <= noise }
}
