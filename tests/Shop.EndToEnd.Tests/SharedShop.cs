using NUnit.Framework.Interfaces;
using Shop.EndToEnd.Tests;

[assembly: AnswersAreDocumented]

namespace Shop.EndToEnd.Tests;

/// <summary>
/// One shop on each engine for the tests that need no settings of their own. They make their
/// own products and orders in it.
/// </summary>
[SetUpFixture]
internal sealed class SharedShop
{
    private static readonly Dictionary<string, ApiDocument> _documents = new(StringComparer.Ordinal);

    private static ShopUnderTest _onFiles = null!;
    private static ShopUnderTest? _onPostgres;

    /// <summary>The shop on the engine of the fixture that is running.</summary>
    public static ShopUnderTest Shop => EngineFixture.Current == Engine.Sqlite ? _onFiles
        : _onPostgres ??= ShopUnderTest.StartAsync().GetAwaiter().GetResult();

    /// <summary>
    /// The differences between a shop's documents and its answers since the last call.
    /// </summary>
    public static string[] Faults(ShopUnderTest shop) =>
    [
        .. from document in _documents
           from answer in shop.TakeAnswers(document.Key)
           // Pages are no part of the documents, at the root and after a fault neither.
           where document.Value.Describes(answer)
               && (answer.MediaType != "text/html" || answer.Path.EndsWith("/docs", StringComparison.Ordinal))
           let fault = document.Value.Fault(answer)
           where fault is not null
           select fault,
    ];

    [OneTimeSetUp]
    public async Task Start()
    {
        _onFiles = await ShopUnderTest.StartAsync();
        foreach ((string service, HttpClient client) in _onFiles.ByName)
            _documents[service] = await ApiDocument.OfAsync(client);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        await _onFiles.DisposeAsync();
        if (_onPostgres is not null) await _onPostgres.DisposeAsync();
    }
}

/// <summary>
/// After each test, every answer of the shared shop is held against the documents: its status,
/// its type and its headers.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class AnswersAreDocumentedAttribute : Attribute, ITestAction
{
    public ActionTargets Targets => ActionTargets.Test;

    public void BeforeTest(ITest test)
    {
    }

    public void AfterTest(ITest test) => Assert.That(SharedShop.Faults(SharedShop.Shop), Is.Empty);
}
