using System.Text.Json;

namespace Shop.Platform.Live;

/// <summary>The history of a console, as one event.</summary>
internal sealed class HistoryEvent(LivePoint[] points) : FeedEvent("history")
{
    public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult(LiveJson.Of(json =>
    {
        json.WriteStartArray();
        foreach (LivePoint point in points) LiveJson.Write(json, point);
        json.WriteEndArray();
    }));
}

/// <summary>A second of a console, with every figure at its end.</summary>
internal sealed class SecondEvent(LivePoint? point, Func<Task<LiveReading>> read, DemoTraffic traffic)
    : FeedEvent("second")
{
    // The first client that needs it reads the registry, for all who watch.
    private readonly Lazy<Task<byte[]>> _data = new(async () =>
    {
        LiveReading reading = await read();
        return LiveJson.Of(json =>
        {
            json.WriteStartObject();
            json.WritePropertyName("point");
            if (point is null) json.WriteNullValue();
            else LiveJson.Write(json, point);
            json.WriteNumber("requests", reading.Requests);
            json.WriteNumber("traffic", traffic.Rate);
            LiveJson.Write(json, "codes", reading.ByCode);
            LiveJson.Write(json, "routes", reading.ByRoute);
            LiveJson.Write(json, "figures", reading.Figures);
            json.WriteEndObject();
        });
    });

    public override async ValueTask<byte[]> DataAsync() => await _data.Value;
}

/// <summary>The figures of the console as JSON.</summary>
internal static class LiveJson
{
    public static void Write(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, double> map)
    {
        json.WriteStartObject(name);
        foreach ((string key, double value) in map) json.WriteNumber(key, value);
        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, LivePoint point)
    {
        json.WriteStartArray();
        json.WriteNumberValue(point.At.ToUnixTimeMilliseconds());
        ReadOnlySpan<double?> values =
            [point.Requests, point.Failed, point.P50, point.P95, point.P99, point.Refused];
        foreach (double? value in values)
        {
            if (value is { } number) json.WriteNumberValue(Math.Round(number, 2));
            else json.WriteNullValue();
        }

        json.WriteEndArray();
    }

    public static byte[] Of(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer)) write(json);
        return buffer.ToArray();
    }
}
