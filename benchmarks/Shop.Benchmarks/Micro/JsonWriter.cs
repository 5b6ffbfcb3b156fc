using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Shop.Orders;
using Shop.Platform.Http;

namespace Shop.Benchmarks.Micro;

/// <summary>An order of two lines as JSON: as it is answered, and by reflection into an array.</summary>
[Config(typeof(ShortRun))]
public class JsonWriter
{
    private static readonly JsonSerializerOptions Reflection =
        new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly OrderBody _order = new Order("019dc6a7-3a7e-7c4e-8f6a-3f1f4f2d9a11", "customer-1",
        OrderStatus.Created, 5150, 1_763_000_000_000, 1_763_000_000_000,
        [new OrderLine("prod_0", "Illustrated atlas", 2, 1290), new OrderLine("prod_1", "Cotton cardigan", 1, 2570)])
        .ToBody();

    [Benchmark(Baseline = true)]
    public byte[] ByReflection() => JsonSerializer.SerializeToUtf8Bytes(_order, Reflection);

    [Benchmark]
    public int AsAnswered() => JsonBuffer.Of(_order, OrdersJson.Default.OrderBody).Length;
}
