namespace Shop.Testing;

/// <summary>An event as a browser sees it.</summary>
internal sealed record ServerEvent(string? Id, string Name, string Data);

/// <summary>A stream of server-sent events, read until it is disposed.</summary>
internal sealed class EventReader : IDisposable
{
    // Far more than any event takes.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    private readonly StreamReader _reader;

    private EventReader(HttpResponseMessage response, StreamReader reader) => (Response, _reader) = (response, reader);

    public HttpResponseMessage Response { get; }

    public static async Task<EventReader> OpenAsync(HttpClient client, string path, string? lastEventId = null)
    {
        using var request =
            new HttpRequestMessage(HttpMethod.Get, path) { Headers = { { "Accept", "text/event-stream" } } };
        if (lastEventId is not null) request.Headers.Add("Last-Event-ID", lastEventId);
        HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.That((int)response.StatusCode, Is.EqualTo(200), path);
        return new EventReader(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    /// <summary>The next event; fails if there is none for a minute, or the stream ends.</summary>
    public async Task<ServerEvent> NextAsync()
    {
        using var bound = new CancellationTokenSource(MaxWait);
        string? id = null, name = null, data = null;
        while (await _reader.ReadLineAsync(bound.Token) is { } line)
        {
            if (line.StartsWith("id: ", StringComparison.Ordinal)) id = line[4..];
            else if (line.StartsWith("event: ", StringComparison.Ordinal)) name = line[7..];
            else if (line.StartsWith("data: ", StringComparison.Ordinal)) data = line[6..];
            else if (line.Length == 0 && data is not null) return new ServerEvent(id, name!, data);
        }

        throw new EndOfStreamException("The stream ended.");
    }

    /// <summary>The next event of a kind.</summary>
    public async Task<ServerEvent> NextAsync(string name)
    {
        while (true)
        {
            if (await NextAsync() is { } happened && happened.Name == name) return happened;
        }
    }

    public void Dispose()
    {
        _reader.Dispose();
        Response.Dispose();
    }
}
