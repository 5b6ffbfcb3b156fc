using System.Buffers;
using Microsoft.Extensions.Primitives;

namespace Shop.Baseline;

/// <summary>An answer, made once.</summary>
internal sealed class Answer(byte[] body, int status, params (string Name, string Value)[] headers)
{
    public static Answer Read(string folder, string file, int status, params (string Name, string Value)[] headers) =>
        new(File.ReadAllBytes(Path.Combine(folder, file)), status, headers);

    public Task SendAsync(HttpContext http)
    {
        HttpResponse response = http.Response;
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = body.Length;
        foreach ((string name, string value) in headers) response.Headers[name] = new StringValues(value);
        response.BodyWriter.Write(body);
        return Task.CompletedTask;
    }

    public async Task SendAfterBodyAsync(HttpContext http)
    {
        await http.Request.Body.CopyToAsync(Stream.Null);
        await SendAsync(http);
    }
}
