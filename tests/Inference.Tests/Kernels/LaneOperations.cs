using Granary.Inference.Kernels;

namespace Granary.Inference.Tests.Kernels;

/// <summary>Those operations of lanes that an instruction set makes of several of its own, on arrays.</summary>
internal abstract class LaneOperations
{
    public abstract int Lanes { get; }

    /// <param name="values">As many as there are lanes.</param>
    public abstract float[] Exp(float[] values);

    /// <param name="values">As many as there are lanes.</param>
    public abstract float Highest(float[] values);

    /// <param name="vectors">[16, lanes].</param>
    /// <returns>Each vector's sum, made one by one.</returns>
    public abstract float[] Sum(float[] vectors);

    /// <param name="vectors">[16, lanes].</param>
    /// <returns>Each vector's sum, made by fours.</returns>
    public abstract float[] Sum4(float[] vectors);

    /// <param name="vectors">[16, lanes].</param>
    /// <returns>Each vector's sum, all made at once.</returns>
    public abstract float[] Sum16(float[] vectors);
}

internal sealed unsafe class LaneOperations<TLanes, TVector> : LaneOperations
    where TLanes : struct, ILanes<TVector>
    where TVector : unmanaged
{
    public override int Lanes => TLanes.Count;

    public override float[] Exp(float[] values)
    {
        var result = new float[TLanes.Count];
        fixed (float* source = values, target = result)
        {
            TLanes.Store(TLanes.Exp(TLanes.Load(source)), target);
        }

        return result;
    }

    public override float Highest(float[] values)
    {
        fixed (float* source = values)
        {
            return TLanes.Highest(TLanes.Load(source));
        }
    }

    public override float[] Sum(float[] vectors) => Array.ConvertAll(Vectors(vectors), TLanes.Sum);

    public override float[] Sum4(float[] vectors)
    {
        var v = Vectors(vectors);
        var sums = new float[v.Length];
        fixed (float* target = sums)
        {
            for (var index = 0; index < v.Length; index += 4)
            {
                TLanes.Sum4(v[index], v[index + 1], v[index + 2], v[index + 3], target + index);
            }
        }

        return sums;
    }

    public override float[] Sum16(float[] vectors)
    {
        var v = Vectors(vectors);
        var sums = new float[v.Length];
        fixed (float* target = sums)
        {
            TLanes.Sum16(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15], target);
        }

        return sums;
    }

    private static TVector[] Vectors(float[] values)
    {
        var vectors = new TVector[values.Length / TLanes.Count];
        fixed (float* source = values)
        {
            for (var index = 0; index < vectors.Length; index++)
            {
                vectors[index] = TLanes.Load(source + (index * TLanes.Count));
            }
        }

        return vectors;
    }
}
