using Granary.Inference.Engine;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Benchmarks;

/// <summary>What the machine can do, measured on the engine's own thread and so with the threads that the engine computes with.</summary>
internal sealed class MachineRates : IDisposable
{
    private const long MatrixSize = 2048;
    private const long BufferFloats = 64L << 20; // 256 MiB: far above the caches

    /// <summary>The bytes that the measurements hold, products included, in the widest dtype.</summary>
    public const long Bytes = (BufferFloats * sizeof(float)) + (3 * MatrixSize * MatrixSize * sizeof(double));

    private readonly DeviceEngine _engine;
    private readonly Tensor _left;
    private readonly Tensor _right;
    private readonly Tensor _buffer;

    private MachineRates(DeviceEngine engine, Tensor left, Tensor right, Tensor buffer) =>
        (_engine, _left, _right, _buffer) = (engine, left, right, buffer);

    public static Task<MachineRates> CreateAsync(DeviceEngine engine, KvDtype dtype) => engine.RunAsync(new SingleStep<MachineRates>(
        () => new MachineRates(
            engine,
            Random(dtype.ToScalarType()),                // [2048, 2048]
            Random(dtype.ToScalarType()),                // [2048, 2048]
            ones(BufferFloats).DetachFromDisposeScope()), // [floats]
        batch: false,
        CancellationToken.None));

    /// <summary>Measures a product of two square matrices in the model's dtype.</summary>
    /// <returns>Floating-point operations a second.</returns>
    public async Task<double> GemmAsync() => 2.0 * MatrixSize * MatrixSize * MatrixSize / await TimeAsync(() => _left.matmul(_right)).ConfigureAwait(false); // [2048, 2048]

    /// <summary>Measures a plain sum over a native buffer.</summary>
    /// <returns>Bytes a second.</returns>
    public async Task<double> ReadAsync() => BufferFloats * sizeof(float) / await TimeAsync(() => _buffer.sum()).ConfigureAwait(false); // []

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
        _buffer.Dispose();
    }

    private static Tensor Random(ScalarType dtype) => randn(MatrixSize, MatrixSize).to(dtype).DetachFromDisposeScope(); // [2048, 2048]

    private Task<double> TimeAsync(Func<Tensor> act) => _engine.RunAsync(new SingleStep<double>(
        () =>
        {
            var started = TimeProvider.System.GetTimestamp();
            act().Dispose();
            return TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        },
        batch: false,
        CancellationToken.None));
}
