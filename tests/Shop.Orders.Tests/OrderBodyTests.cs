using System.Buffers;
using System.Text;
using System.Text.Json;
using Shop.Platform.Http;

namespace Shop.Orders.Tests;

internal sealed class OrderBodyTests
{
    private static readonly OrderBody Body = new Order("0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e", "ada",
        OrderStatus.Created, 4330, 1_769_860_800_000, 1_769_860_800_120,
        [new OrderLine("prod_0", "Walnut desk lamp", 2, 1290), new OrderLine("prod_1", "Müller's atlas", 1, 1750)])
        .ToBody();

    [Test]
    public void Given_an_order_when_it_is_written_then_names_money_and_times_are_as_the_contract_has_them()
    {
        const string Expected = """
            {"order_id":"0198d6a2-7c1e-7b60-9d5e-3f1c2a4b5d6e","customer_id":"ada","status":"created","items":[
            {"product_id":"prod_0","name":"Walnut desk lamp","quantity":2,"unit_price":12.90,"line_total":25.80},
            {"product_id":"prod_1","name":"Müller's atlas","quantity":1,"unit_price":17.50,"line_total":17.50}],
            "total_amount":43.30,"created_at":"2026-01-31T12:00:00.000Z","updated_at":"2026-01-31T12:00:00.120Z"}
            """;
        Assert.That(
            Encoding.UTF8.GetString(JsonResponse.Bytes(Body, OrdersJson.Default.OrderBody)),
            Is.EqualTo(Expected.ReplaceLineEndings("")));
    }

    [Test]
    public void Given_an_order_that_was_written_before_when_it_is_written_again_then_no_byte_is_allocated()
    {
        // Only the serializer's fast path does so; a converter in the options, or an encoder there, would turn it off
        // without a word.
        var bytes = new ArrayBufferWriter<byte>(4096);
        using var writer = new Utf8JsonWriter(bytes);
        JsonSerializer.Serialize(writer, Body, OrdersJson.Default.OrderBody);
        writer.Flush();
        bytes.ResetWrittenCount();
        writer.Reset();
        long before = GC.GetAllocatedBytesForCurrentThread();
        JsonSerializer.Serialize(writer, Body, OrdersJson.Default.OrderBody);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
