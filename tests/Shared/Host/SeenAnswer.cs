namespace Shop.Testing;

/// <summary>The head of an answer that a client saw.</summary>
internal sealed class SeenAnswer(HttpRequestMessage request, HttpResponseMessage answer)
{
    public string Method { get; } = request.Method.Method;

    public string Path { get; } = request.RequestUri!.AbsolutePath;

    public int Status { get; } = (int)answer.StatusCode;

    public string? MediaType { get; } = answer.Content.Headers.ContentType?.MediaType;

    public IReadOnlyList<string> Headers { get; } =
        [.. answer.Headers.Concat(answer.Content.Headers).Select(header => header.Key).Order(StringComparer.Ordinal)];

    public override string ToString() => $"{Method} {Path}: {Status} {MediaType} with {string.Join(", ", Headers)}";
}
