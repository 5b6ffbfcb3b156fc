using Shop.Platform.Modules;
using Shop.Platform.Telemetry;
using Shop.Products.Contracts;

namespace Shop.Products;

/// <summary>The contract, with a span for each call.</summary>
internal sealed class TracedCatalogue(FindProduct catalogue, ModuleContext module) : IProductCatalogue
{
    private readonly ContractCalls _calls = new(module, "ProductCatalogue");

    public ValueTask<IReadOnlyList<ProductOnSale?>> FindAsync(IReadOnlyList<string> ids) =>
        _calls.MakeAsync("Find", (catalogue, ids), static call => call.catalogue.FindAsync(call.ids));
}
