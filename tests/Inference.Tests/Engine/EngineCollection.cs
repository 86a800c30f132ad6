using Granary.Inference.Tests.Engine;

[assembly: AssemblyFixture(typeof(EngineFixture))]

// Tensors are counted for the whole process, and the cores are few.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
