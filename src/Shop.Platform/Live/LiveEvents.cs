using System.Text.Json;
using Shop.Platform.Faults;

namespace Shop.Platform.Live;

/// <summary>The history of a console, as one event.</summary>
internal sealed class HistoryEvent(LiveSample[] points) : FeedEvent("history")
{
    public override ValueTask<byte[]> DataAsync() => ValueTask.FromResult(LiveJson.Of(json =>
    {
        json.WriteStartArray();
        foreach (LiveSample point in points) LiveJson.Write(json, point);
        json.WriteEndArray();
    }));
}

/// <summary>A second of a console, with every figure at its end.</summary>
internal sealed class SecondEvent(LiveSample? point, Func<Task<LiveSnapshot>> read, DemoTraffic traffic,
    ChartAnnotations marks, FaultCatalogue? faults) : FeedEvent("second")
{
    // Made for the first client that needs it, for all who watch.
    private readonly Lazy<Task<byte[]>> _data = new(async () =>
    {
        LiveSnapshot reading = await read();
        return LiveJson.Of(json =>
        {
            json.WriteStartObject();
            json.WritePropertyName("point");
            if (point is null) json.WriteNullValue();
            else LiveJson.Write(json, point);
            json.WriteNumber("requests", reading.Requests);
            json.WriteNumber("traffic", traffic.Rate);
            if (traffic.State is { } state) LiveJson.Write(json, state);
            LiveJson.Write(json, "codes", reading.ByCode);
            LiveJson.Write(json, "routes", reading.ByRoute);
            LiveJson.Write(json, "figures", reading.Figures);
            LiveJson.Write(json, reading.Endpoints);
            LiveJson.Write(json, marks);
            json.WriteStartArray("trouble");
            foreach (FaultRun run in faults?.Runs ?? []) json.WriteStringValue(run.ToString());
            json.WriteEndArray();
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

    public static void Write(Utf8JsonWriter json, LiveSample point)
    {
        json.WriteStartArray();
        json.WriteNumberValue(point.At.ToUnixTimeMilliseconds());
        for (int column = 1; column <= point.Columns; column++) Write(json, point[column]);
        json.WriteEndArray();
    }

    public static void Write(Utf8JsonWriter json, IReadOnlyList<EndpointActivity> endpoints)
    {
        json.WriteStartArray("endpoints");
        foreach (EndpointActivity endpoint in endpoints)
        {
            json.WriteStartObject();
            json.WriteString("route", endpoint.Route);
            json.WriteNumber("requests", endpoint.Requests);
            json.WritePropertyName("rate");
            Write(json, endpoint.Rate);
            json.WritePropertyName("failed");
            Write(json, endpoint.Failed);
            json.WritePropertyName("p50");
            Write(json, endpoint.P50);
            json.WritePropertyName("p95");
            Write(json, endpoint.P95);
            json.WriteStartArray("rates");
            foreach (double rate in endpoint.Rates) Write(json, rate);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    public static void Write(Utf8JsonWriter json, TrafficState traffic)
    {
        json.WriteStartObject("demo");
        json.WriteString("shape", traffic.Shape.Name);
        json.WriteNumber("ends", traffic.EndsAt.ToUnixTimeMilliseconds());
        json.WritePropertyName("wanted");
        Write(json, traffic.Wanted);
        json.WritePropertyName("answered");
        Write(json, traffic.Answered);
        json.WriteEndObject();
    }

    public static void Write(Utf8JsonWriter json, ChartAnnotations marks)
    {
        json.WriteNumber("started", marks.StartedAt.ToUnixTimeMilliseconds());
        json.WriteString("version", marks.Version);
        json.WriteStartArray("faults");
        foreach (ChartAnnotations.FaultSpan fault in marks.Faults)
        {
            json.WriteStartObject();
            json.WriteString("name", fault.Name);
            json.WriteNumber("from", fault.From.ToUnixTimeMilliseconds());
            if (fault.Until is { } until) json.WriteNumber("until", until.ToUnixTimeMilliseconds());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, double? value)
    {
        if (value is { } number) json.WriteNumberValue(Math.Round(number, 2));
        else json.WriteNullValue();
    }

    public static byte[] Of(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer)) write(json);
        return buffer.ToArray();
    }
}
