using Granary.Inference.Engine;
using Granary.Inference.Kernels;
using Granary.Inference.Pages;
using Granary.Inference.Tensors;
using static TorchSharp.torch;

namespace Granary.Inference.Benchmarks;

/// <summary>What the machine can do, measured on the engine's own thread and so with the threads that the engine computes with.</summary>
internal sealed class MachineRates : IDisposable
{
    private const long MatrixSize = 2048;
    private const long ReadBytes = 256L << 20; // far above the caches
    private const int Reads = 3;               // of a measurement, whose quickest counts: a floor is what no implementation avoids

    /// <summary>The bytes that the measurements hold, products included, in the widest dtype.</summary>
    public const long Bytes = ReadBytes + (3 * MatrixSize * MatrixSize * sizeof(double));

    private readonly DeviceEngine _engine;
    private readonly Tensor _left;
    private readonly Tensor _right;
    private readonly MemoryRead _read;

    private MachineRates(DeviceEngine engine, Tensor left, Tensor right, MemoryRead read) =>
        (_engine, _left, _right, _read) = (engine, left, right, read);

    public static Task<MachineRates> CreateAsync(DeviceEngine engine, KvDtype dtype) => engine.RunAsync(new SingleStep<MachineRates>(
        () => new MachineRates(
            engine,
            Random(dtype.ToScalarType()), // [2048, 2048]
            Random(dtype.ToScalarType()), // [2048, 2048]
            new MemoryRead(engine.Team, ReadBytes)),
        batch: false,
        CancellationToken.None));

    /// <summary>Measures a product of two square matrices in the model's dtype.</summary>
    /// <returns>Floating-point operations a second.</returns>
    public async Task<double> GemmAsync() => 2.0 * MatrixSize * MatrixSize * MatrixSize / await TimeAsync(() => _left.matmul(_right).Dispose()).ConfigureAwait(false); // [2048, 2048]

    /// <summary>Measures plain reads of native memory, by the kernels' threads.</summary>
    /// <returns>Bytes a second, of the quickest.</returns>
    public async Task<double> ReadAsync()
    {
        var least = double.PositiveInfinity;
        for (var read = 0; read < Reads; read++)
        {
            least = Math.Min(least, await TimeAsync(() => _read.Run()).ConfigureAwait(false));
        }

        return _read.Bytes / least;
    }

    public void Dispose()
    {
        _left.Dispose();
        _right.Dispose();
        _read.Dispose();
    }

    private static Tensor Random(ScalarType dtype) => randn(MatrixSize, MatrixSize).to(dtype).DetachFromDisposeScope(); // [2048, 2048]

    private Task<double> TimeAsync(Action act) => _engine.RunAsync(new SingleStep<double>(
        () => Clock.Time(act),
        batch: false,
        CancellationToken.None));
}
